--[[
claim: take up to `limit` due messages, most urgent priority first, soonest first, each under a lock.
KEYS     due_high due_normal due_low locks msg meta events
ARGV     now wake_channel partition events_kept limit lock_ms token
INCLUDES moves clock due events slices retrying
RETURNS  {now_us, wait_us, {id, since, attempt, payload, channel, target, type, retry, priority, created_at}, ...}
         since: the moment that lateness counts from: due_at, or what it was before back-pressure put it off;
         wait_us: the next message is due so much later; 0: more are due already; -1: nothing waits, or paused
CODES    none
COST     O(limit log N)
]]
local FIELDS = {'p', 'n', 't', 'y', 'r', 'q', 'c', 'a', 'b'}
local reply = {string.format('%.0f', now_us), -1}

if redis.call('HGET', meta, 'paused') then
  return reply
end

local room = tonumber(limit)
local expiry = string.format('%.0f', now_ms + tonumber(lock_ms))
local locked = {}
local retried = 0
for _, set in ipairs({due_high, due_normal, due_low}) do
  if room > 0 then
    local due = redis.call('ZRANGEBYSCORE', set, '-inf', now_text, 'WITHSCORES', 'LIMIT', 0, room)
    local taken = {}
    for i = 1, #due, 2 do
      local id, due_at = due[i], due[i + 1]
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
        reply[#reply + 1] = {id, m[9] or due_at, attempt, m[1], m[2], m[3], m[4], m[5], m[6], m[7]}
      end
    end
    if #taken > 0 then
      in_slices(taken, function(...) redis.call('ZREM', set, ...) end)
      room = room - #taken
    end
  end
end
if #locked > 0 then
  in_slices(locked, function(...) redis.call('ZADD', locks, ...) end)
  emit()
end

local first = earliest()
if first then
  count_retrying(-retried)
  reply[2] = string.format('%.0f', math.max(0, first * 1000 - now_us))
else
  -- Where nothing waits, none is retried: what hashes that were deleted by hand left in the count ends here.
  redis.call('HDEL', meta, 'retrying')
end
return reply
