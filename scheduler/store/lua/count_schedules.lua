--[[
count_schedules: count the schedules by what they do.
KEYS     plans rests failing meta
ARGV     now
INCLUDES clock pending
RETURNS  {now_ms, active, paused, ended, failing, overdue, oldest, {overlap, missed, changed}}
         failing: whose last run ended dead; overdue: active, and its moment passed a while ago without a server that
         planned it; oldest: the moment of the first of them (ms), or ''; overlap, missed, changed: moments without a
         delivery, of all schedules that ever were
CODES    none
COST     O(log N)
]]
local limit = string.format('%.0f', now_ms - GRACE_MS)
local head = redis.call('ZRANGE', plans, 0, 0, 'WITHSCORES')
return {
  now_ms, redis.call('ZCARD', plans), redis.call('ZCOUNT', rests, 1, 1), redis.call('ZCOUNT', rests, 2, 2),
  redis.call('ZCARD', failing), redis.call('ZCOUNT', plans, '-inf', '(' .. limit),
  head[2] and tonumber(head[2]) < tonumber(limit) and head[2] or '',
  redis.call('HMGET', meta, 'skips_overlap', 'skips_missed', 'skips_changed'),
}
