--[[
stats: how many messages are where.
KEYS     due_high due_normal due_low locks held msg dead done meta
ARGV     now
INCLUDES clock
RETURNS  {now_ms, high, normal, low, due, processing, dead, done, done_bytes, oldest, next, paused,
         due_of_high, due_of_normal, due_of_low, retrying, held_back, oldest_held}
         retrying: those that are scheduled with an attempt behind them
         held_back: those that back-pressure put off, scheduled or in flight; oldest_held: the first moment that one
         of them was put off from, '' for none
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
-- What a server of an older version settled, or somebody deleted by hand, is still in the set: it is dropped here, or it
-- would look late for ever.
local first_held
repeat
  first_held = redis.call('ZRANGE', held, 0, 0, 'WITHSCORES')
  local m = first_held[1] and redis.call('HMGET', msg .. first_held[1], 'b', 'f')
  local gone = m and (not m[1] or m[2])
  if gone then
    redis.call('ZREM', held, first_held[1])
  end
until not gone
return {
  now_ms, redis.call('ZCARD', due_high), redis.call('ZCARD', due_normal), redis.call('ZCARD', due_low), due,
  redis.call('ZCARD', locks), redis.call('ZCARD', dead), redis.call('ZCARD', done),
  tonumber(redis.call('HGET', meta, 'done_bytes')) or 0, oldest or '', next or '',
  redis.call('HGET', meta, 'paused') and 1 or 0, due_of[1], due_of[2], due_of[3],
  math.max(0, tonumber(redis.call('HGET', meta, 'retrying')) or 0), redis.call('ZCARD', held), first_held[2] or '',
}
