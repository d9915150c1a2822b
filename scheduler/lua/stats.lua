--[[
stats: how many messages are where.
KEYS     due_high due_normal due_low locks dead done meta
ARGV     now
INCLUDES clock
RETURNS  {now_ms, high, normal, low, due, processing, dead, done, done_bytes, oldest, next, paused,
         due_of_high, due_of_normal, due_of_low, retrying}
         retrying: those that are scheduled with an attempt behind them
         oldest: due_at of the first message that is due, next: of the first that is not; '' for none
CODES    none
COST     O(log N)
]]
local due = 0
local due_of = {}
local oldest, next
for _, set in ipairs({due_high, due_normal, due_low}) do
  due_of[#due_of + 1] = redis.call('ZCOUNT', set, '-inf', now_ms)
  due = due + due_of[#due_of]
  local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  if head[2] and tonumber(head[2]) <= now_ms and (not oldest or tonumber(head[2]) < tonumber(oldest)) then
    oldest = head[2]
  end
  local coming = redis.call('ZRANGEBYSCORE', set, '(' .. string.format('%.0f', now_ms), '+inf',
    'WITHSCORES', 'LIMIT', 0, 1)
  if coming[2] and (not next or tonumber(coming[2]) < tonumber(next)) then
    next = coming[2]
  end
end
return {
  now_ms, redis.call('ZCARD', due_high), redis.call('ZCARD', due_normal), redis.call('ZCARD', due_low), due,
  redis.call('ZCARD', locks), redis.call('ZCARD', dead), redis.call('ZCARD', done),
  tonumber(redis.call('HGET', meta, 'done_bytes')) or 0, oldest or '', next or '',
  redis.call('HGET', meta, 'paused') and 1 or 0, due_of[1], due_of[2], due_of[3],
  math.max(0, tonumber(redis.call('HGET', meta, 'retrying')) or 0),
}
