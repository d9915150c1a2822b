--[[
lanes: list the sets that hold a scheduled message.
KEYS     due lanes flow
ARGV
INCLUDES slices flow due
RETURNS  {lane, priority, 1 or 0, ...}; 1: the set of messages with flow keys
CODES    none
COST     O(lanes)
]]
local reply = {}
for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, MOST_LANES - 1)) do
  for _, priority in ipairs(PRIORITIES) do
    for keyed, set in pairs({[0] = due_set(lane, priority), [1] = keyed_set(lane, priority)}) do
      if redis.call('EXISTS', set) == 1 then
        reply[#reply + 1] = lane
        reply[#reply + 1] = priority
        reply[#reply + 1] = keyed
      end
    end
  end
end
return reply
