--[[
adopt: move scheduled messages from one lane into another.
KEYS     due lanes flow msg
ARGV     now wake_channel partition source lane limit
INCLUDES moves clock slices flow due empty wake
PARTS    lanes flow_keys
RETURNS  how many were moved; fewer than `limit`: none is left
CODES    none
COST     O(limit log N)
]]
local moved = 0

local function move(set, priority)
  local left = tonumber(limit) - moved
  local found = left > 0 and redis.call('ZRANGE', set, 0, left - 1, 'WITHSCORES') or {}
  for i = 1, #found, 2 do
    local id = found[i]
    local m = redis.call('HMGET', msg .. id, 'p', 'F', 'a', 'b')
    parts.lanes.leave(id, source, priority, m[2])
    if m[1] then
      redis.call('HSET', msg .. id, 'j', lane)
      parts.lanes.enter(id, lane, priority, found[i + 1], m[2], m[4] or (tonumber(m[3]) or 0) > 0)
    end
    redis.call('ZREM', set, id)
    moved = moved + 1
  end
end

for _, priority in ipairs(PRIORITIES) do
  move(due_set(source, priority), priority)
  move(keyed_set(source, priority), priority)
  if moved == tonumber(limit) then
    break
  end
end
wake()
if is_empty(source) then
  redis.call('ZREM', lanes, source)
end
return moved
