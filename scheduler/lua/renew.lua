--[[
renew: push the expiry of locks in flight.
KEYS     locks msg
ARGV     now lock_ms items...
         items, 2 each: id token
INCLUDES clock
RETURNS  {position, ...} of the items whose lock was lost, from 1
CODES    none
COST     O(n log N) for n locks
]]
local expiry = string.format('%.0f', now_ms + tonumber(lock_ms))
local lost = {}
local renewed = {}
for at = items, #ARGV, 2 do
  local id = ARGV[at]
  if redis.call('HGET', msg .. id, 'k') == ARGV[at + 1] then
    renewed[#renewed + 1] = expiry
    renewed[#renewed + 1] = id
  else
    lost[#lost + 1] = (at - items) / 2 + 1
  end
end
if #renewed > 0 then
  redis.call('ZADD', locks, 'XX', unpack(renewed))
end
return lost
