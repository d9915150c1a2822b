--[[
stats: count the messages by status, lane and priority.
KEYS     due lanes flow locks held msg dead done meta
ARGV     now
INCLUDES clock slices flow due
RETURNS  {now_ms, processing, dead, done, done_bytes, paused, retrying, held_back, oldest_held,
          flow_keys, waiting, oldest_waiting, {lane, high, normal, low, due_of_high, due_of_normal, due_of_low, oldest, next}, ...}
         retrying: scheduled messages that have been attempted before
         held_back: messages that back-pressure put off, scheduled or in flight
         oldest_held: the earliest due_at that one of them had before it was put off; '' for none
         flow_keys: how many there are; waiting: messages with a flow key that are due; oldest_waiting: due_at of the
         first of them; '' for none
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

local function sooner(known, moment)
  return (not known or moment and tonumber(moment) < tonumber(known)) and moment or known
end

-- Return how many messages a set has, how many of them are due, since when the first of those waits, and when the next
-- one is due.
local function count_in(set)
  local n = redis.call('ZCARD', set)
  if n == 0 then
    return 0, 0
  end
  local ready = redis.call('ZCOUNT', set, '-inf', now_text)
  local coming = redis.call('ZRANGE', set, ready, ready, 'WITHSCORES')[2]
  if ready == 0 then
    return n, 0, nil, coming
  end
  local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  local m = redis.call('HMGET', msg .. head[1], 'c', 'u', 'a')
  return n, ready, waits_since(head[2], m[1], m[2], m[3]), coming
end

local waiting, oldest_waiting = 0, nil

local function row_of(lane)
  local counts, due_counts, total = {}, {}, 0
  local oldest, coming
  for _, priority in ipairs(PRIORITIES) do
    local n, ready, since, after = count_in(due_set(lane, priority))
    oldest, coming = sooner(oldest, since), sooner(coming, after)
    if any_keys() then
      local keyed, may_wait
      keyed, may_wait, since, after = count_in(keyed_set(lane, priority))
      n, ready, waiting = n + keyed, ready + may_wait, waiting + may_wait
      coming, oldest_waiting = sooner(coming, after), sooner(oldest_waiting, since)
      -- Of messages with a key that may go, the lane is only as late as the turn of the key.
      local turn = redis.call('ZRANGE', turns_of(lane .. ':' .. priority), 0, 0, 'WITHSCORES')[2]
      if turn and tonumber(turn) <= now_ms then
        oldest = sooner(oldest, string.format('%.0f', math.floor(turn)))
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
  redis.call('ZCARD', flow .. 'keys'), 0, '',
}
for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, MOST_LANES - 1)) do
  local row = row_of(lane)
  if row then
    reply[#reply + 1] = row
  end
end
reply[11], reply[12] = waiting, oldest_waiting or ''
return reply
