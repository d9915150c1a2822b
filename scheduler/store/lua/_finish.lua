-- Moving messages to where the finished ones are kept, and counting their bytes for retention.
-- 150: keys, set entry and hash overhead of a finished message without its texts (measured, rounded down).
local OVERHEAD = 150

-- What a message weighs, with so many bytes of evidence.
local function weight(key, evidence)
  return OVERHEAD + redis.call('HSTRLEN', key, 'p') + redis.call('HSTRLEN', key, 't') + (tonumber(evidence) or 0)
end

-- ids: {score, id, score, id, ...}; bytes: of all of them.
local function keep(set, counter, ids, bytes)
  if #ids > 0 then
    in_slices(ids, function(...) redis.call('ZADD', set, ...) end)
    redis.call('HINCRBY', meta, counter, bytes)
  end
end

-- Only the evidence of the last 20 attempts is kept.  The bytes that went.
local function drop_old_evidence(key, n)
  if n <= 20 then
    return 0
  end
  local oldest = 'h:' .. (n - 20)
  local bytes = redis.call('HSTRLEN', key, oldest)
  redis.call('HDEL', key, oldest)
  return bytes
end
