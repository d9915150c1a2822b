--[[
purge: remove scheduled messages, without a trace.
KEYS     due_high due_normal due_low held msg meta events
ARGV     now events_kept wake_channel partition limit
INCLUDES moves clock due events retrying
RETURNS  how many were removed
CODES    none
COST     O(limit log N)
]]
local removed, retried = 0, 0
for _, set in pairs(DUE) do
  local popped = redis.call('ZPOPMIN', set, tonumber(limit) - removed)
  for i = 1, #popped, 2 do
    local key = msg .. popped[i]
    local m = redis.call('HMGET', key, 'n', 'a', 'b')
    redis.call('UNLINK', key)
    if m[3] then
      redis.call('ZREM', held, popped[i])
    end
    event('cancelled', popped[i], m[1], m[2])
    removed = removed + 1
    if (tonumber(m[2]) or 0) > 0 then
      retried = retried + 1
    end
  end
end
count_retrying(-retried)
emit()
return removed
