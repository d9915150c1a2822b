-- Move messages to the set of finished ones, and count their bytes for retention.

-- Bytes of a finished message without its texts: key, set entry, hash overhead (measured, rounded down).
local OVERHEAD = 150

-- Return the bytes of a message.  evidence: bytes of its evidence.
local function weight(key, evidence)
  return OVERHEAD + redis.call('HSTRLEN', key, 'p') + redis.call('HSTRLEN', key, 't') + (tonumber(evidence) or 0)
end

-- Add finished messages to their set.  ids: {score, id, score, id, ...}; bytes: of all of them together.
local function keep(set, counter, ids, bytes)
  if #ids > 0 then
    in_slices('ZADD', set, ids)
    redis.call('HINCRBY', meta, counter, bytes)
  end
end

-- Delete the evidence that is older than the last 20 attempts; return the bytes that were freed.
local function drop_old_evidence(key, n)
  if n <= 20 then
    return 0
  end
  local oldest = 'h:' .. (n - 20)
  local bytes = redis.call('HSTRLEN', key, oldest)
  redis.call('HDEL', key, oldest)
  return bytes
end
