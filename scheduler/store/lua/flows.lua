--[[
flows: list the flow keys by name, from one on.
KEYS     due lanes flow
ARGV     now after limit
         after: continue after this key, '' for the start
INCLUDES clock slices flow due flow_row
PARTS    lanes flow_keys
RETURNS  {{key, in_flight, ...}, ...}, rows as of flow.lua
CODES    none
COST     O(limit log N + M / 128) for M messages of the keys
]]
local known = parts.flow_keys
local rows = {}
local first = after == '' and '-' or '(' .. after
local keys = redis.call('ZRANGEBYLEX', flow .. 'keys', first, '+', 'LIMIT', 0, limit)
known.read_states(keys)
for _, key in ipairs(keys) do
  rows[#rows + 1] = row_of(known.state_of(key))
end
return rows
