--[[
get_schedule: read one schedule with its last runs.
KEYS     sched plans runs
ARGV     now schedule
INCLUDES clock
RETURNS  {now_ms, act_at, {field, value, ...}, {run, ...}}; act_at: when it is planned next (ms), or ''; nil when there
         is no such schedule
CODES    none
COST     O(log N)
]]
local fields = redis.call('HGETALL', sched .. schedule)
if #fields == 0 then
  return false
end
return {now_ms, redis.call('ZSCORE', plans, schedule) or '', fields, redis.call('LRANGE', runs .. schedule, 0, 19)}
