--[[
claim: take up to `limit` due messages, each under a lock; within a lane by priority, then soonest first, keys in turns.
KEYS     due lanes flow locks held msg done meta events outbox copy sched plans runs failing
ARGV     now wake_channel partition events_kept outbox_limit outbox_waits limit lock_ms token shared items...
         shared: free threads of the pool that several lanes share
         items, 4 each, in the order in which lanes are served: lane most own each
         most: messages of this lane at most; own: how many of them need no shared thread; each: how many of the
         others one shared thread carries
INCLUDES moves clock slices flow due empty wake events retrying
PARTS    lanes flow_keys rounds begins runs
RETURNS  {now_us, wait_us, {id, since, attempt, payload, channel, target, type, retry, priority, created_at, lane, run,
         flow_wait, trace}, ...}
         wait_us: time until the next message is due in a lane that has not reached `most`; 0: one is due already;
         -1: nothing waits in those lanes, or the service is paused
         since: lateness counts from here: due_at, or its value before back-pressure put the message off
         lane: only when it differs from the one that channel and type imply; run: the field `i`
         flow_wait: ms that it waited since then because of its flow key; false without one; trace: the field `T`;
         the last four are left out together when a message has none of them
CODES    none
COST     O(limit log N + lanes)
]]
local NEVER = math.huge
local reply = {now_us, -1}

local counts = redis.call('HMGET', meta, 'paused', 'retrying')
if counts[1] then
  return reply
end

local left = tonumber(limit)
-- As text, when the first message is claimed.
local expiry
local locked = {}
local retried = 0

-- Lock a message that leaves its set, unless its hash was deleted by hand or it is a run that does not begin.  s: the
-- state of its flow key, or nil.
local function begin(id, due_at, s)
  local key = msg .. id
  local m = redis.call('HMGET', key, 'p', 'n', 't', 'y', 'r', 'q', 'c', 'a', 'b', 'j', 'i', 'T')
  if not m[1] then
    return
  end
  local attempt = (tonumber(m[8]) or 0) + 1
  if attempt > 1 then
    retried = retried + 1
  end
  if m[11] and not parts.begins.run_begins(id, m[11], m, due_at, attempt) then
    return
  end
  local waited = false
  if s then
    parts.flow_keys.begin_at(s)
    waited = s.opened > 0 and math.max(0, s.opened - math.max(tonumber(due_at), tonumber(m[7]))) or 0
  end
  -- What an earlier claim wrote is replaced too: of one that was given back, or retried.
  if waited and (waited > 0 or m[8] and redis.call('HEXISTS', key, 'W') == 1) then
    redis.call('HSET', key, 's', 'processing', 'k', token, 'd', due_at, 'a', attempt, 'g', now_text, 'W', waited)
  else
    redis.call('HSET', key, 's', 'processing', 'k', token, 'd', due_at, 'a', attempt, 'g', now_text)
  end
  expiry = expiry or string.format('%.0f', lock_clock_ms + tonumber(lock_ms))
  locked[#locked + 1] = expiry
  locked[#locked + 1] = id
  -- Text, where it is known: Lua executes 2,000 instructions to format a number, of 87,000 for a message in all.
  event('claimed', id, m[2], attempt == 1 and '1' or attempt)
  local row = {id, m[9] or due_at, attempt, m[1], m[2], m[3], m[4], m[5], m[6], m[7]}
  if m[10] or m[11] or waited or m[12] then
    row[11], row[12], row[13], row[14] = m[10], m[11], waited, m[12]
  end
  reply[#reply + 1] = row
end

-- Claim up to `most` due messages of a lane and priority.  Return how many ids left their sets, and the moment of the
-- first that stays: NEVER when there is none, nil when it is not known.
local function take(lane, priority, most)
  if any_keys() then
    return parts.rounds.take(lane, priority, most, begin)
  end
  local set = due_set(lane, priority)
  -- Most sets have no message that is due, or one.  The first two say so, and when to come back.
  local found = redis.call('ZRANGE', set, 0, 1, 'WITHSCORES')
  local following = tonumber(found[2]) or NEVER
  if following > now_ms then
    return 0, following
  end
  following = tonumber(found[4]) or NEVER
  if following > now_ms or most == 1 then
    begin(found[1], found[2])
    redis.call('ZREM', set, found[1])
    return 1, following
  end
  found = redis.call('ZRANGEBYSCORE', set, '-inf', now_text, 'WITHSCORES', 'LIMIT', 0, most)
  local taken = {}
  for i = 1, #found, 2 do
    taken[#taken + 1] = found[i]
    begin(found[i], found[i + 1])
  end
  in_slices('ZREM', set, taken)
  return #taken
end

local waiting = {}
for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, MOST_LANES - 1)) do
  waiting[lane] = true
end

local first = NEVER
-- The lanes that did not reach `most`, and the moment of the first message that stays in each, where it is known.
local open, stays = {}, {}
local threads = tonumber(shared)
for at = items, #ARGV, 4 do
  local lane, own, each = ARGV[at], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if waiting[lane] then
    local most = math.min(tonumber(ARGV[at + 1]), own + threads * each)
    local taken, soonest = 0, NEVER
    for _, priority in ipairs(PRIORITIES) do
      local n, following = math.min(most - taken, left), nil
      if n > 0 then
        n, following = take(lane, priority, n)
        taken, left = taken + n, left - n
      end
      soonest = soonest and following and math.min(soonest, following)
    end
    if taken > own then
      threads = threads - math.ceil((taken - own) / each)
    end
    -- A lane that reached `most` does not count for wait_us: the server claims for it again when messages have ended.
    if taken < most then
      open[#open + 1], stays[lane] = lane, soonest
    end
  end
end
if rawget(parts, 'begins') then
  parts.begins.end_skipped()
end
-- Before it is asked when to come back, keys get the turns that they may have next.
wake()
for _, lane in ipairs(open) do
  local soonest = stays[lane]
  if not soonest or rawget(parts, 'lanes') then
    -- This call may have added something to the lane: a run that waited for another, or the turn of a key.
    soonest = earliest(lane) or NEVER
  end
  if soonest < first then
    first = soonest
  elseif soonest == NEVER and is_empty(lane) then
    redis.call('ZREM', lanes, lane)
    waiting[lane] = nil
  end
end
in_slices('ZADD', locks, locked)
emit()

if first < NEVER then
  reply[2] = math.max(0, first * 1000 - now_us)
end
if next(waiting) then
  count_retrying(-retried)
elseif counts[2] then
  -- No message is scheduled, so none waits for a retry.  This corrects a count that is wrong because hashes were deleted
  -- by hand.
  redis.call('HDEL', meta, 'retrying')
end
return reply
