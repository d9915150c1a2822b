--[[
destinations: list the destinations that failed lately, asked for a pause or were opened by hand, by their last change.
KEYS     dest dests
ARGV     now since limit
         since: ms; only those that changed then or later
INCLUDES clock events destination
RETURNS  {now_ms, {id, ...}, ...}; the fields in the order of _destination.lua
CODES    none
COST     O(limit log N)
]]
local reply = {now_ms}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', dests, since, '+inf', 'LIMIT', 0, limit)) do
  local d = destination(id)
  if d.u then
    reply[#reply + 1] = destination_row(d)
  end
end
return reply
