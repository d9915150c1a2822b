--[[
purge: remove scheduled messages, without a trace.
KEYS     due_high due_normal due_low msg events
ARGV     now events_kept wake_channel partition limit
INCLUDES clock due events
RETURNS  how many were removed
CODES    none
COST     O(limit log N)
]]
local removed = 0
for _, set in pairs(DUE) do
  local popped = redis.call('ZPOPMIN', set, tonumber(limit) - removed)
  for i = 1, #popped, 2 do
    local key = msg .. popped[i]
    local m = redis.call('HMGET', key, 'n', 'a')
    redis.call('UNLINK', key)
    event('cancelled', popped[i], m[1], m[2])
    removed = removed + 1
  end
end
emit()
return removed
