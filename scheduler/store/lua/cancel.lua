--[[
cancel: move a scheduled message to cancelled.
KEYS     due lanes flow held msg done meta events outbox copy sched runs failing
ARGV     now wake_channel partition events_kept outbox_limit outbox_waits id
INCLUDES moves clock slices flow due wake events message finish outbox retrying
PARTS    lanes flow_keys runs
RETURNS  {code, status, snapshot}
CODES    0 cancelled; 1 no such message; 2 not scheduled (see status)
COST     O(log N)
]]
local key = msg .. id
local m = redis.call('HMGET', key, 'p', 's', 'q', 'n', 'a', 'z', 'y', 'j', 'i', 'F')
if not m[1] then
  return {1, '', false}
end
if m[2] then
  return {2, m[2], false}
end
local lane = lane_of(m[4], m[7], m[8])
local due_at = redis.call('ZSCORE', set_of(lane, m[3], m[10]), id)
parts.lanes.leave(id, lane, m[3], m[10])
redis.call('ZREM', held, id)
local size = weight(key, m[6])
redis.call('HSET', key, 's', 'cancelled', 'd', due_at, 'f', now_ms, 'z', size)
keep(done, 'done_bytes', {now_ms, id}, size)
to_outbox({now_ms, id}, size)
count_retrying((tonumber(m[5]) or 0) > 0 and -1 or 0)
event('cancelled', id, m[4], m[5])
if m[9] then
  parts.runs.ended(id, m[9], 'cancelled')
end
emit()
wake()
return {0, '', snapshot(id)}
