--[[
match: the scheduled messages of a channel that are due at exactly one moment with exactly one payload.
KEYS     due_high due_normal due_low msg
ARGV     priority due_at offset limit channel payload
RETURNS  {scanned, id, ...}; scanned < limit: there are no more at this moment
CODES    none
COST     O(log N + limit)
]]
local set = ({high = due_high, normal = due_normal, low = due_low})[priority]
local ids = redis.call('ZRANGEBYSCORE', set, due_at, due_at, 'LIMIT', offset, limit)
local reply = {#ids}
for _, id in ipairs(ids) do
  local m = redis.call('HMGET', msg .. id, 'p', 'n')
  if m[1] == payload and (m[2] or 'echo') == channel then
    reply[#reply + 1] = id
  end
end
return reply
