-- Moving a message to where the finished ones are kept, and counting its bytes for retention.
-- 150: keys, zset entry and hash overhead of a finished message without its texts (measured, rounded down).
local function finish(set, counter, id, status, extra)
  local key = msg .. id
  local size = 150 + redis.call('HSTRLEN', key, 'p') + redis.call('HSTRLEN', key, 't') + extra
    + (tonumber(redis.call('HGET', key, 'z')) or 0)
  redis.call('HSET', key, 's', status, 'z', size, 'u', now_ms, 'f', now_ms)
  redis.call('HDEL', key, 'k')
  redis.call('ZADD', set, now_ms, id)
  redis.call('HINCRBY', meta, counter, size)
end

-- Evidence of the attempt that has just ended, the n-th of the message's whole life; only the last 20 are kept.
local function keep_evidence(id, n, record)
  redis.call('HSET', msg .. id, 'h:' .. n, record)
  if n > 20 then
    redis.call('HDEL', msg .. id, 'h:' .. (n - 20))
  end
end
