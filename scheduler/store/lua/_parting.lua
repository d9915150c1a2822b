-- Keep a copy of a finished message that the history does not have yet, because its hash is about to change.
local function copy_for_history(id)
  local finish = redis.call('ZSCORE', outbox, id)
  if finish then
    local member = id .. '@' .. finish
    redis.call('COPY', msg .. id, copy .. member, 'REPLACE')
    redis.call('ZREM', outbox, id)
    redis.call('ZADD', outbox, finish, member)
  end
end
