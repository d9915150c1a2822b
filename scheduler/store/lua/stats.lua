--[[
stats: count the messages by status, lane and priority.
KEYS     due lanes locks held msg dead done meta
ARGV     now
INCLUDES clock due
RETURNS  {now_ms, processing, dead, done, done_bytes, paused, retrying, held_back, oldest_held,
          {lane, high, normal, low, due_of_high, due_of_normal, due_of_low, oldest, next}, ...}
         retrying: scheduled messages that have been attempted before
         held_back: messages that back-pressure put off, scheduled or in flight
         oldest_held: the earliest due_at that one of them had before it was put off; '' for none
         a row for each lane in which a message waits; oldest: due_at of the first message that is due; next: of the
         first that is not due yet; '' for none
CODES    none
COST     O(lanes log N)
]]
-- A message may be accepted for a moment that is long past, or be changed to one: it could not have been attempted
-- before, and must not look late at once.  c, u, a: when it was accepted and last changed, and its attempts, a field
-- that only a message has that was claimed since.
local function waits_since(moment, c, u, a)
  local given = not a and u or c
  return given and tonumber(given) > tonumber(moment) and given or moment
end

local function row_of(lane)
  local counts, due_counts, total = {}, {}, 0
  local oldest, coming
  for _, priority in ipairs(PRIORITIES) do
    local set = due_set(lane, priority)
    local n = redis.call('ZCARD', set)
    local ready = 0
    if n > 0 then
      ready = redis.call('ZCOUNT', set, '-inf', now_text)
      local around = redis.call('ZRANGE', set, ready, ready, 'WITHSCORES')
      if around[2] and (not coming or tonumber(around[2]) < tonumber(coming)) then
        coming = around[2]
      end
      if ready > 0 then
        local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
        local m = redis.call('HMGET', msg .. head[1], 'c', 'u', 'a')
        local since = waits_since(head[2], m[1], m[2], m[3])
        if not oldest or tonumber(since) < tonumber(oldest) then
          oldest = since
        end
      end
    end
    counts[#counts + 1], due_counts[#due_counts + 1] = n, ready
    total = total + n
  end
  return total > 0 and {
    lane, counts[1], counts[2], counts[3], due_counts[1], due_counts[2], due_counts[3], oldest or '', coming or '',
  }
end

-- The set may still hold messages that a server of an older version settled, or that were deleted by hand.  They are
-- removed here; otherwise they would look late for ever.
local oldest_held
repeat
  local first = redis.call('ZRANGE', held, 0, 0, 'WITHSCORES')
  local m = first[1] and redis.call('HMGET', msg .. first[1], 'b', 'f', 'c')
  local gone = m and (not m[1] or m[2])
  if gone then
    redis.call('ZREM', held, first[1])
  end
  oldest_held = m and waits_since(first[2], m[3], false, true)
until not gone

local reply = {
  now_ms, redis.call('ZCARD', locks), redis.call('ZCARD', dead), redis.call('ZCARD', done),
  tonumber(redis.call('HGET', meta, 'done_bytes')) or 0, redis.call('HGET', meta, 'paused') and 1 or 0,
  math.max(0, tonumber(redis.call('HGET', meta, 'retrying')) or 0), redis.call('ZCARD', held), oldest_held or '',
}
for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, MOST_LANES - 1)) do
  local row = row_of(lane)
  if row then
    reply[#reply + 1] = row
  end
end
return reply
