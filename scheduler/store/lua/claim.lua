--[[
claim: take up to `limit` due messages, each under a lock; within a lane by priority, then soonest first.
KEYS     due lanes locks held msg done meta events outbox copy sched plans runs failing
ARGV     now wake_channel partition events_kept outbox_limit outbox_waits limit lock_ms token shared items...
         shared: free threads of the pool that several lanes share
         items, 4 each, in the order in which lanes are served: lane most own each
         most: messages of this lane at most; own: how many of them need no shared thread; each: how many of the
         others one shared thread carries
INCLUDES moves clock due events slices retrying finish outbox accept runs pending begins
RETURNS  {now_us, wait_us, {id, since, attempt, payload, channel, target, type, retry, priority, created_at, lane, run},
         ...}
         wait_us: time until the next message is due in a lane that has not reached `most`; 0: one is due already;
         -1: nothing waits in those lanes, or the service is paused
         since: lateness counts from here: due_at, or its value before back-pressure put the message off
         lane: only when it differs from the one that channel and type imply; run: the field `i`
CODES    none
COST     O(limit log N + lanes)
]]
local FIELDS = {'p', 'n', 't', 'y', 'r', 'q', 'c', 'a', 'b', 'j', 'i'}
local reply = {string.format('%.0f', now_us), -1}

if redis.call('HGET', meta, 'paused') then
  return reply
end

local left = tonumber(limit)
local expiry = string.format('%.0f', lock_clock_ms + tonumber(lock_ms))
local locked = {}
local retried = 0

-- Claim up to `most` due messages of one set; return how many ids left the set.
local function take(set, most)
  local found = redis.call('ZRANGEBYSCORE', set, '-inf', now_text, 'WITHSCORES', 'LIMIT', 0, most)
  local taken = {}
  for i = 1, #found, 2 do
    local id, due_at = found[i], found[i + 1]
    local key = msg .. id
    local m = redis.call('HMGET', key, unpack(FIELDS))
    taken[#taken + 1] = id
    local attempt = (tonumber(m[8]) or 0) + 1
    if m[1] and attempt > 1 then
      retried = retried + 1
    end
    -- An id without a hash (deleted by hand) is only removed from the set.
    if m[1] and (not m[11] or run_begins(id, m[11], m, due_at, attempt)) then
      redis.call('HSET', key, 's', 'processing', 'k', token, 'd', due_at, 'a', attempt, 'g', now_text)
      locked[#locked + 1] = expiry
      locked[#locked + 1] = id
      event('claimed', id, m[2], attempt)
      reply[#reply + 1] = {id, m[9] or due_at, attempt, m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[10], m[11]}
    end
  end
  if #taken > 0 then
    in_slices(taken, function(...) redis.call('ZREM', set, ...) end)
  end
  return #taken
end

local waiting = {}
for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, MOST_LANES - 1)) do
  waiting[lane] = true
end

local first
local threads = tonumber(shared)
for at = items, #ARGV, 4 do
  local lane, own, each = ARGV[at], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if waiting[lane] then
    local most = math.min(tonumber(ARGV[at + 1]), own + threads * each)
    local taken = 0
    for _, priority in ipairs(PRIORITIES) do
      local n = math.min(most - taken, left)
      if n > 0 then
        n = take(due_set(lane, priority), n)
        taken, left = taken + n, left - n
      end
    end
    if taken > own then
      threads = threads - math.ceil((taken - own) / each)
    end
    -- A lane that reached `most` does not count for wait_us: the server claims for it again when messages have ended.
    if taken < most then
      local soonest = earliest(lane)
      if not soonest then
        redis.call('ZREM', lanes, lane)
        waiting[lane] = nil
      elseif not first or soonest < first then
        first = soonest
      end
    end
  end
end
if #locked > 0 then
  in_slices(locked, function(...) redis.call('ZADD', locks, ...) end)
end
if #happened > 0 then
  emit()
  -- A run that had to wait for one that ended here.
  wake()
end

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
