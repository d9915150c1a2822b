--[[
destinations: list the destinations that failed lately, asked for a pause or were opened by hand, by their last change.
KEYS     dest dests
ARGV     now since offset limit
         since: ms; only those that changed then or later; offset: without the first N of them
INCLUDES clock events destination
RETURNS  {now_ms, 1 or 0, {id, ...}, ...}; 1: there may be more; the fields in the order of _destination.lua
CODES    none
COST     O(limit log N)
]]
local found = redis.call('ZRANGEBYSCORE', dests, since, '+inf', 'LIMIT', offset, limit)
local reply = {now_ms, #found == tonumber(limit) and 1 or 0}
for _, id in ipairs(found) do
  local d = destination(id)
  if d.u then
    reply[#reply + 1] = destination_row(d)
  end
end
return reply
