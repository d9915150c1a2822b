-- Keep what the history does not have yet of a message whose hash is about to change or to be deleted.
-- how: 'COPY' leaves the hash where it is, 'RENAME' takes it away.  Return whether there was something to keep.
local function keep_for_history(how, id)
  local finish = redis.call('ZSCORE', outbox, id)
  if not finish then
    return false
  end
  local member = id .. '@' .. finish
  redis.call('UNLINK', copy .. member)
  redis.call(how, msg .. id, copy .. member)
  redis.call('ZREM', outbox, id)
  redis.call('ZADD', outbox, finish, member)
  return true
end
