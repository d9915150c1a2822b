-- Read a whole message.  The due_at of a scheduled message is its score in the due set.
local STATE = {'s', 'q', 'd', 'n', 'y', 'j', 'F'}

-- Return the set that has the due_at of a scheduled message.
local function set_of(lane, priority, mark)
  return mark and keyed_set(lane, priority) or due_set(lane, priority)
end

-- Return {due_at, {field, value, ...}}, or false when there is no such message.
local function snapshot(id)
  local fields = redis.call('HGETALL', msg .. id)
  if #fields == 0 then
    return false
  end
  local m = redis.call('HMGET', msg .. id, unpack(STATE))
  local due_at = m[3]
  if not m[1] then
    due_at = redis.call('ZSCORE', set_of(lane_of(m[4], m[5], m[6]), m[2], m[7]), id)
  end
  return {due_at or false, fields}
end
