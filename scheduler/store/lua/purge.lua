--[[
purge: delete the messages of a channel that have a type from one set of scheduled ones, from a position on.
KEYS     set due lanes flow held msg meta events sched runs failing
ARGV     now events_kept wake_channel partition after_score after_id scan channel
         after_score, after_id: continue after this position, '' for the start; scan: look at N members at most
INCLUDES moves clock slices flow due wake events retrying bytes position
PARTS    lanes flow_keys runs
RETURNS  {deleted, more, last_score, last_id}; more 1: the set goes on after last_score, last_id
CODES    none
COST     O(scan log N)
]]
local first = after_score == '' and 0 or rank_of(after_score, after_id, true)
local members = redis.call('ZRANGE', set, first, first + tonumber(scan) - 1, 'WITHSCORES')
local deleted, retried = 0, 0
local last_score, last_id = '', ''
for i = 1, #members, 2 do
  last_id, last_score = members[i], members[i + 1]
  local key = msg .. last_id
  local m = redis.call('HMGET', key, 'n', 'a', 'y', 'b', 'i', 'F', 'q', 'j')
  if (m[1] or 'echo') == channel and m[3] then
    parts.lanes.leave(last_id, lane_of(m[1], m[3], m[8]), m[7], m[6])
    redis.call('UNLINK', key)
    if m[4] then
      redis.call('ZREM', held, last_id)
    end
    event('cancelled', last_id, m[1], m[2])
    if m[5] then
      parts.runs.ended(last_id, m[5], 'cancelled')
    end
    deleted = deleted + 1
    if (tonumber(m[2]) or 0) > 0 then
      retried = retried + 1
    end
  end
end
count_retrying(-retried)
emit()
wake()
return {deleted, #members == 2 * tonumber(scan) and 1 or 0, last_score, last_id}
