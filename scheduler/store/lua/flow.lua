--[[
flow: read a flow key, or change what it allows.
KEYS     due lanes flow locks msg
ARGV     now wake_channel partition key action value limit
         action: read | pin | unpin | pause | resume | reset
         value: pin: limits as "concurrency,rate/period,ordered", which replace those that were pinned before; pause: 1,
         or until when (ms)
         limit: look at N locks at most, to count again what is in flight (reset)
INCLUDES moves clock slices flow due wake flow_row
PARTS    lanes flow_keys
RETURNS  {key, in_flight, used, window_ends_at, paused, given, default, pinned, scheduled, waiting, oldest_due_at, next_at},
         '' for none; nil: there is no such key.  pin and pause make it
CODES    none
COST     O(log N + M / 128) for M messages of the key; reset: O(limit) more
]]
local keys = parts.flow_keys
local s = keys.state_of(key)
if not s.exists and action ~= 'pin' and action ~= 'pause' then
  return false
end
-- The messages that wait may have another turn now, whether the key is open or not.
s.review = action ~= 'read'
if action == 'pin' then
  keys.set_limits(s, s.limits.given, s.limits.default, value)
elseif action == 'unpin' then
  keys.set_limits(s, s.limits.given, s.limits.default, keys.NO_LIMITS)
elseif action == 'pause' then
  s.paused = value
elseif action == 'resume' then
  s.paused, s.opened = '0', now_ms
elseif action == 'reset' then
  s.used, s.begun, s.opened, s.flight, s.count = 0, 0, now_ms, 0, 0
  for name in string.gmatch(s.queues, '%S+') do
    local queue = keys.queue_of(key, name)
    s.count = s.count + keys.queues.sum(queue, 0, keys.queues.last_piece(queue, '+inf'), 'ZCARD')
  end
  for _, id in ipairs(redis.call('ZRANGE', locks, 0, limit - 1)) do
    local mark = redis.call('HGET', msg .. id, 'F')
    if mark and parts.flow_keys.key_of(mark) == key then
      s.flight = s.flight + 1
    end
  end
end
if action ~= 'read' then
  wake()
end
return row_of(s)
