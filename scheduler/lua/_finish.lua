-- Moving messages to where the finished ones are kept, and counting their bytes for retention.
-- 150: keys, set entry and hash overhead of a finished message without its texts (measured, rounded down).
local OVERHEAD = 150

-- What a message weighs beside the evidence of its last attempt.
local function weight(key, earlier)
  return OVERHEAD + redis.call('HSTRLEN', key, 'p') + redis.call('HSTRLEN', key, 't') + (tonumber(earlier) or 0)
end

-- ids: {score, id, score, id, ...}; bytes: of all of them.
local function keep(set, counter, ids, bytes)
  if #ids > 0 then
    in_slices(ids, function(...) redis.call('ZADD', set, ...) end)
    redis.call('HINCRBY', meta, counter, bytes)
  end
end

-- Only the evidence of the last 20 attempts is kept.
local function drop_old_evidence(key, n)
  if n > 20 then
    redis.call('HDEL', key, 'h:' .. (n - 20))
  end
end
