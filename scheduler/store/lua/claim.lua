--[[
claim: take up to `limit` due messages, each under a lock; of a lane the most urgent priority first, soonest first.
KEYS     due lanes locks msg meta events
ARGV     now wake_channel partition events_kept limit lock_ms token shared items...
         items, 4 each: lane most own each; at most `most` of a lane; those beyond its first `own` need one of the
         `shared` threads for each `each` of them; lanes that come first are served first
INCLUDES moves clock due events slices retrying
RETURNS  {now_us, wait_us, {id, since, attempt, payload, channel, target, type, retry, priority, created_at, lane}, ...}
         since: the moment that lateness counts from: due_at, or what it was before back-pressure put it off;
         lane: where it is not what follows from channel and type
         wait_us: the next message of a lane that may give more is due in this time; 0: it is due already;
         -1: nothing waits there, or the service is paused
CODES    none
COST     O(limit log N + lanes)
]]
local FIELDS = {'p', 'n', 't', 'y', 'r', 'q', 'c', 'a', 'b', 'j'}
local reply = {string.format('%.0f', now_us), -1}

if redis.call('HGET', meta, 'paused') then
  return reply
end

local room = tonumber(limit)
local expiry = string.format('%.0f', now_ms + tonumber(lock_ms))
local locked = {}
local retried = 0

-- Take up to `most` due messages of one set; how many left it.
local function take(set, most)
  local found = redis.call('ZRANGEBYSCORE', set, '-inf', now_text, 'WITHSCORES', 'LIMIT', 0, most)
  local taken = {}
  for i = 1, #found, 2 do
    local id, due_at = found[i], found[i + 1]
    local key = msg .. id
    local m = redis.call('HMGET', key, unpack(FIELDS))
    taken[#taken + 1] = id
    -- A hash that somebody deleted by hand leaves an id without a message: it is dropped from the set.
    if m[1] then
      local attempt = (tonumber(m[8]) or 0) + 1
      redis.call('HSET', key, 's', 'processing', 'k', token, 'd', due_at, 'a', attempt, 'g', now_text)
      locked[#locked + 1] = expiry
      locked[#locked + 1] = id
      if attempt > 1 then
        retried = retried + 1
      end
      event('claimed', id, m[2], attempt)
      reply[#reply + 1] = {id, m[9] or due_at, attempt, m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[10]}
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
      local n = math.min(most - taken, room)
      if n > 0 then
        n = take(due_set(lane, priority), n)
        taken, room = taken + n, room - n
      end
    end
    if taken > own then
      threads = threads - math.ceil((taken - own) / each)
    end
    -- A lane that gave all that it may is asked again when some of it has ended, and not before.
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
  emit()
end

if first then
  reply[2] = string.format('%.0f', math.max(0, first * 1000 - now_us))
end
if next(waiting) then
  count_retrying(-retried)
else
  -- Where nothing waits, none is retried: what hashes that were deleted by hand left in the count ends here.
  redis.call('HDEL', meta, 'retrying')
end
return reply
