--[[
match: find the messages of one set of scheduled ones with exactly this due_at and this payload.
KEYS     set msg
ARGV     due_at offset limit payload
RETURNS  {scanned, id, ...}; scanned < limit: no more messages have this due_at
CODES    none
COST     O(log N + limit)
]]
local ids = redis.call('ZRANGEBYSCORE', set, due_at, due_at, 'LIMIT', offset, limit)
local reply = {#ids}
for _, id in ipairs(ids) do
  if redis.call('HGET', msg .. id, 'p') == payload then
    reply[#reply + 1] = id
  end
end
return reply
