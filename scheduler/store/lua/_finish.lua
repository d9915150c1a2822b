-- Move messages to the set of finished ones, and count their bytes for retention.

-- Bytes of a finished message without its texts: key, set entry, hash overhead (measured, rounded down).
local OVERHEAD = 150

-- Return the bytes of a message.  evidence: bytes of its evidence; target: its field `t`, when it has been read, false
-- for none.
local function weight(key, evidence, target)
  local of_target = target == nil and redis.call('HSTRLEN', key, 't') or #(target or '')
  return OVERHEAD + redis.call('HSTRLEN', key, 'p') + of_target + (tonumber(evidence) or 0)
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
