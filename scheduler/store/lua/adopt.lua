--[[
adopt: move scheduled messages from one lane into another.
KEYS     due lanes msg
ARGV     wake_channel partition source lane limit
INCLUDES moves due
RETURNS  how many were moved; fewer than `limit`: none is left
CODES    none
COST     O(limit log N)
]]
local moved = 0
for _, priority in ipairs(PRIORITIES) do
  local old = due_set(source, priority)
  local found = redis.call('ZRANGE', old, 0, tonumber(limit) - moved - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    local id = found[i]
    if redis.call('EXISTS', msg .. id) == 1 then
      redis.call('HSET', msg .. id, 'j', lane)
      enter(id, lane, priority, found[i + 1])
    end
    redis.call('ZREM', old, id)
    moved = moved + 1
  end
  if moved == tonumber(limit) then
    break
  end
end
if not earliest(source) then
  redis.call('ZREM', lanes, source)
end
wake()
return moved
