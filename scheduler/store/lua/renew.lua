--[[
renew: extend the locks of messages in flight.
KEYS     locks msg
ARGV     now lock_ms items...
         items, 2 each: id token
INCLUDES moves clock slices
RETURNS  {position, ...} of the items whose lock was lost, counted from 1
CODES    none
COST     O(n log N) for n locks
]]
local expiry = string.format('%.0f', lock_clock_ms + tonumber(lock_ms))
local lost = {}
local renewed = {}
for at = items, #ARGV, 2 do
  local id = ARGV[at]
  local token = ARGV[at + 1]
  if token ~= '' and redis.call('HGET', msg .. id, 'k') == token then
    renewed[#renewed + 1] = expiry
    renewed[#renewed + 1] = id
  else
    lost[#lost + 1] = (at - items) / 2 + 1
  end
end
in_slices('ZADD', locks, renewed)
return lost
