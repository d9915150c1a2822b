--[[
undo: delete the messages of a batch here, because another partition refused its part.
KEYS     due lanes flow msg idem events
ARGV     now wake_channel partition events_kept key created_at items...
         key: Idempotency-Key of the batch, '' for none; created_at: ms, when the batch was stored; items, 1 each: id
INCLUDES moves clock slices flow due wake events
PARTS    lanes flow_keys
RETURNS  how many were deleted; messages that are claimed already stay
CODES    none
COST     O(n log N) for n messages
]]
local deleted = 0
for at = items, #ARGV do
  local id = ARGV[at]
  local m = redis.call('HMGET', msg .. id, 'c', 's', 'q', 'n', 'y', 'j', 'F')
  if m[1] == created_at and not m[2] then
    parts.lanes.leave(id, lane_of(m[4], m[5], m[6]), m[3], m[7])
    redis.call('UNLINK', msg .. id)
    event('cancelled', id, m[4], 0)
    deleted = deleted + 1
  end
end
if key ~= '' then
  redis.call('UNLINK', idem .. key)
end
emit()
wake()
return deleted
