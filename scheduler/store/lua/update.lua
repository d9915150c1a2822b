--[[
update: change a scheduled message.
KEYS     due lanes flow held msg events
ARGV     now wake_channel partition events_kept id due_at payload target priority retry
         '' leaves a field as it is; due_at: ms, or "+" and the ms from now
INCLUDES clock slices flow due moment wake events message
PARTS    lanes flow_keys
RETURNS  {code, status, snapshot}
CODES    0 changed; 1 no such message; 2 not scheduled (see status)
COST     O(log N)
]]
local key = msg .. id
local m = redis.call('HMGET', key, 'p', 's', 'q', 'n', 'a', 'y', 'j', 'F', 'b')
if not m[1] then
  return {1, '', false}
end
if m[2] then
  return {2, m[2], false}
end
local lane = lane_of(m[4], m[6], m[7])
local from = m[3] or 'normal'
local to = priority ~= '' and priority or from
local moment = tonumber(redis.call('ZSCORE', set_of(lane, from, m[8]), id))
if due_at ~= '' then
  moment = tonumber(moment_of(due_at))
end
local changed = {'u', now_ms}
for field, value in pairs({p = payload, t = target, r = retry}) do
  if value ~= '' then
    changed[#changed + 1] = field
    changed[#changed + 1] = value
  end
end
redis.call('HSET', key, unpack(changed))
if due_at ~= '' then
  -- The new due_at replaces the moment that was asked for before, and with it the traces of retries and back-pressure.
  redis.call('HDEL', key, 'b', 'm')
  redis.call('ZREM', held, id)
end
if to == 'normal' then
  redis.call('HDEL', key, 'q')
else
  redis.call('HSET', key, 'q', to)
end
if m[8] or to ~= from then
  parts.lanes.leave(id, lane, from, m[8])
end
parts.lanes.enter(id, lane, to, moment, m[8], due_at == '' and (m[9] or (tonumber(m[5]) or 0) > 0))
event('updated', id, m[4], m[5])
emit()
wake()
return {0, '', snapshot(id)}
