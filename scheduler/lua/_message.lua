-- A message and, while it is scheduled, its due_at: the due set holds it then.
local STATE = {'s', 'q', 'd'}

local function due_at_of(id, status, priority, stored)
  if status then
    return stored
  end
  return redis.call('ZSCORE', DUE[priority or 'normal'], id)
end

-- {due_at, field, value, ...} or false when there is no such message.
local function snapshot(id)
  local fields = redis.call('HGETALL', msg .. id)
  if #fields == 0 then
    return false
  end
  local state = redis.call('HMGET', msg .. id, unpack(STATE))
  return {due_at_of(id, state[1], state[2], state[3]) or false, fields}
end
