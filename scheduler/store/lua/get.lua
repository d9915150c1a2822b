--[[
get: read one message with its attempts.
KEYS     due flow msg
ARGV     id
INCLUDES slices flow due message
RETURNS  {due_at, {field, value, ...}} or nil when there is no such message
CODES    none
COST     O(log N)
]]
return snapshot(id)
