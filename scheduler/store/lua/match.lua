--[[
match: the scheduled messages of a lane that are due at exactly one moment with exactly one payload.
KEYS     due lanes msg
ARGV     lane priority due_at offset limit payload
INCLUDES due
RETURNS  {scanned, id, ...}; scanned < limit: there are no more at this moment
CODES    none
COST     O(log N + limit)
]]
local ids = redis.call('ZRANGEBYSCORE', due_set(lane, priority), due_at, due_at, 'LIMIT', offset, limit)
local reply = {#ids}
for _, id in ipairs(ids) do
  if redis.call('HGET', msg .. id, 'p') == payload then
    reply[#reply + 1] = id
  end
end
return reply
