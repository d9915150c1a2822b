--[[
claim: take up to `limit` due messages, each under a lock; within a lane by priority, then soonest first, keys in turns.
KEYS     due lanes flow locks held msg done meta events outbox copy sched plans runs failing
ARGV     now wake_channel partition events_kept outbox_limit outbox_waits limit lock_ms token shared items...
         shared: free threads of the pool that several lanes share
         items, 4 each, in the order in which lanes are served: lane most own each
         most: messages of this lane at most; own: how many of them need no shared thread; each: how many of the
         others one shared thread carries
INCLUDES moves clock slices flow due bytes flow_queues flow_keys turns wake events retrying finish outbox accept runs pending overlap begins
RETURNS  {now_us, wait_us, {id, since, attempt, payload, channel, target, type, retry, priority, created_at, lane, run,
         flow_wait, trace}, ...}
         wait_us: time until the next message is due in a lane that has not reached `most`; 0: one is due already;
         -1: nothing waits in those lanes, or the service is paused
         since: lateness counts from here: due_at, or its value before back-pressure put the message off
         lane: only when it differs from the one that channel and type imply; run: the field `i`
         flow_wait: ms that it waited since then because of its flow key; false without one; trace: the field `T`
CODES    none
COST     O(limit log N + lanes)
]]
-- Rounds of keys in a call.  A key that may not go costs its turn, and the next call goes on.
local MOST_ROUNDS = 10
-- Messages that a key may take in its turn while there are more keys than room: what a turn costs is shared by them.
local TURN = 4
local FIELDS = {'p', 'n', 't', 'y', 'r', 'q', 'c', 'a', 'b', 'j', 'i', 'T', 'W'}
local reply = {string.format('%.0f', now_us), -1}

if redis.call('HGET', meta, 'paused') then
  return reply
end

local left = tonumber(limit)
local expiry = string.format('%.0f', lock_clock_ms + tonumber(lock_ms))
-- To the microsecond, so that a key whose turn is over stands behind those whose turn began in the same millisecond.
local turn_text = string.format('%.3f', now_us / 1000)
local locked = {}
local retried = 0

-- Lock a message that leaves its set, unless its hash was deleted by hand or it is a run that does not begin.  s: the
-- state of its flow key, or nil.
local function begin(id, due_at, s)
  local key = msg .. id
  local m = redis.call('HMGET', key, unpack(FIELDS))
  if not m[1] then
    return
  end
  local attempt = (tonumber(m[8]) or 0) + 1
  if attempt > 1 then
    retried = retried + 1
  end
  if m[11] and not run_begins(id, m[11], m, due_at, attempt) then
    return
  end
  local waited = false
  if s then
    flow_keys().begin_at(s)
    waited = s.opened > 0 and math.max(0, s.opened - math.max(tonumber(due_at), tonumber(m[7]))) or 0
  end
  -- What an earlier claim wrote is replaced too: of one that was given back, or before a redrive.
  if waited and (waited > 0 or m[13]) then
    redis.call('HSET', key, 's', 'processing', 'k', token, 'd', due_at, 'a', attempt, 'g', now_text, 'W', waited)
  else
    redis.call('HSET', key, 's', 'processing', 'k', token, 'd', due_at, 'a', attempt, 'g', now_text)
  end
  locked[#locked + 1] = expiry
  locked[#locked + 1] = id
  event('claimed', id, m[2], attempt)
  reply[#reply + 1] = {id, m[9] or due_at, attempt, m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[10], m[11], waited, m[12]}
end

local function due_in(set, latest, most)
  return redis.call('ZRANGEBYSCORE', set, '-inf', latest, 'WITHSCORES', 'LIMIT', 0, most)
end

local function remove(set, members)
  in_slices(members, function(...) redis.call('ZREM', set, ...) end)
end

-- Claim the first messages of a key whose turn it is, at most `share`; add their ids to `gone`.  Return how many they are,
-- and whether more of them may go.
local function serve(key, lane, priority, share, gone)
  local name = lane .. ':' .. priority
  local keys = flow_keys()
  local s = keys.state_of(key)
  local at = keys.opens_at(s)
  s.popped = s.popped or {}
  s.popped[name] = true
  if not at or at > now_ms or (s.limits.ordered and s.queues ~= name and keys.first_queue(s) ~= name) then
    s.review = true
    return 0, false
  end
  local queue = keys.queue_of(key, name)
  local piece = keys.queues.first_piece(queue)
  local n = math.min(share, keys.room_of(s))
  -- One more, to know whether it takes another turn.
  local heads = redis.call('ZRANGE', piece, 0, n, 'WITHSCORES')
  if #heads / 2 > s.count then
    keys.recount(s, name)
  end
  local places, moments, more = {}, {}, false
  for i = 1, #heads, 2 do
    local due_at = keys.due_of(heads[i + 1])
    more = due_at <= now_ms and #places == n
    if due_at > now_ms or more then
      break
    end
    -- The text of the score, unless the message is ahead of its moment in the queue.
    places[#places + 1] = heads[i]
    moments[#moments + 1] = s.limits.ordered and string.format('%.0f', due_at) or heads[i + 1]
  end
  remove(piece, places)
  s.count = s.count - #places
  if 2 * #places == #heads and keys.queues.refill(queue) then
    local _, score = head_of(piece)
    more = keys.due_of(score) <= now_ms
  end
  for i, place in ipairs(places) do
    local id = keys.id_in(place)
    gone[#gone + 1] = id
    begin(id, moments[i], s)
  end
  more = more and keys.opens_at(s) == now_ms
  s.review = s.review or not more
  return #places, more
end

-- Claim up to `most` messages: TURN of each key whose turn it is, or equal shares when there is room for all keys, and the
-- messages without a key between them.  Return how many ids left their sets, and whether more keys have their turn.
local function round(lane, priority, most)
  local set, turns = due_set(lane, priority), turns_of(lane .. ':' .. priority)
  local turn = math.max(1, math.min(TURN, math.floor(most / TURN)))
  local found, keys = due_in(set, now_text, most), due_in(turns, turn_text, math.ceil(most / turn))
  local names = {}
  for at = 1, #keys, 2 do
    names[#names + 1] = keys[at]
  end
  if names[1] then
    flow_keys().read_states(names)
  end
  local share = math.max(turn, math.floor((most - #found / 2) / #names))
  local taken, served, again, gone, count = {}, {}, {}, {}, 0
  local i, k = 1, 1
  while count < most and (found[i] or keys[k]) do
    if keys[k] and (not found[i] or tonumber(keys[k + 1]) <= tonumber(found[i + 1])) then
      local n, more = serve(keys[k], lane, priority, math.min(share, most - count), gone)
      served[#served + 1] = keys[k]
      if more then
        -- It takes its turn again behind all the others.
        again[#again + 1], again[#again + 2] = turn_text, keys[k]
      end
      k, count = k + 2, count + n
    else
      taken[#taken + 1] = found[i]
      begin(found[i], found[i + 1])
      i, count = i + 2, count + 1
    end
  end
  remove(set, taken)
  remove(turns, served)
  remove(keyed_set(lane, priority), gone)
  in_slices(again, function(...) redis.call('ZADD', turns, ...) end)
  return count, #keys > 0
end

-- Claim up to `most` due messages of a lane and priority; return how many ids left their sets.
local function take(lane, priority, most)
  if not any_keys() then
    local found, taken = due_in(due_set(lane, priority), now_text, most), {}
    for i = 1, #found, 2 do
      taken[#taken + 1] = found[i]
      begin(found[i], found[i + 1])
    end
    remove(due_set(lane, priority), taken)
    return #taken
  end
  local count = 0
  for _ = 1, MOST_ROUNDS do
    local n, more = round(lane, priority, most - count)
    count = count + n
    if count == most or not more then
      break
    end
  end
  return count
end

local waiting = {}
for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, MOST_LANES - 1)) do
  waiting[lane] = true
end

local first
local open = {}
local threads = tonumber(shared)
for at = items, #ARGV, 4 do
  local lane, own, each = ARGV[at], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if waiting[lane] then
    local most = math.min(tonumber(ARGV[at + 1]), own + threads * each)
    local taken = 0
    for _, priority in ipairs(PRIORITIES) do
      local n = math.min(most - taken, left)
      if n > 0 then
        n = take(lane, priority, n)
        taken, left = taken + n, left - n
      end
    end
    if taken > own then
      threads = threads - math.ceil((taken - own) / each)
    end
    -- A lane that reached `most` does not count for wait_us: the server claims for it again when messages have ended.
    if taken < most then
      open[#open + 1] = lane
    end
  end
end
end_skipped()
-- Before it is asked when to come back, keys get the turns that they may have next.
wake()
for _, lane in ipairs(open) do
  local soonest = earliest(lane)
  if soonest and (not first or soonest < first) then
    first = soonest
  elseif not soonest and is_empty(lane) then
    redis.call('ZREM', lanes, lane)
    waiting[lane] = nil
  end
end
if #locked > 0 then
  in_slices(locked, function(...) redis.call('ZADD', locks, ...) end)
end
emit()

if first then
  reply[2] = string.format('%.0f', math.max(0, first * 1000 - now_us))
end
if next(waiting) then
  count_retrying(-retried)
else
  -- No message is scheduled, so none waits for a retry.  This corrects a count that is wrong because hashes were deleted
  -- by hand.
  redis.call('HDEL', meta, 'retrying')
end
return reply
