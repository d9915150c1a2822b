--[[
migrate: move scheduled messages from the due sets of layout 1 (one per priority) into those of their lanes.
KEYS     due lanes flow msg
ARGV     wake_channel partition limit
INCLUDES moves slices flow due wake
PARTS    lanes flow_keys
RETURNS  how many were moved; fewer than `limit`: none is left
CODES    none
COST     O(limit log N)
]]
local moved = 0
for _, priority in ipairs(PRIORITIES) do
  local old = due .. priority
  local found = redis.call('ZRANGE', old, 0, tonumber(limit) - moved - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    local id = found[i]
    local m = redis.call('HMGET', msg .. id, 'n', 'y', 'j')
    -- Added before it is removed: if Redis kills the script in between, the message is in both sets, not in none.
    parts.lanes.enter(id, lane_of(m[1], m[2], m[3]), priority, found[i + 1])
    redis.call('ZREM', old, id)
    moved = moved + 1
  end
  if moved == tonumber(limit) then
    break
  end
end
wake()
return moved
