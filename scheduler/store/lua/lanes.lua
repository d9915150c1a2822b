--[[
lanes: list the due sets that hold a message.
KEYS     due lanes
ARGV
INCLUDES due
RETURNS  {lane, priority, lane, priority, ...}
CODES    none
COST     O(lanes)
]]
local reply = {}
for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, MOST_LANES - 1)) do
  for _, priority in ipairs(PRIORITIES) do
    if redis.call('EXISTS', due_set(lane, priority)) == 1 then
      reply[#reply + 1] = lane
      reply[#reply + 1] = priority
    end
  end
end
return reply
