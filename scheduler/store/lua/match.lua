--[[
match: find the scheduled messages of a lane with exactly this due_at and this payload.
KEYS     due lanes msg
ARGV     lane priority due_at offset limit payload
INCLUDES due
RETURNS  {scanned, id, ...}; scanned < limit: no more messages have this due_at
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
