--[[
plan: move schedules on: store the message of the next moment, and those of moments that were missed.
KEYS     due lanes flow held msg meta events sched plans rests runs failing
ARGV     now wake_channel partition events_kept items...
         items, for each schedule: schedule revision upcoming | following id due_at | take given_up given_up_at | n,
         then n times: id due_at origin
         revision, upcoming: as they were read; a schedule that differs by now is left alone
         following, id, due_at: its next moment, and the message of it; '' when the plan has ended
         take '1': the run of `upcoming` was missed, and its message is taken back
         given_up, given_up_at: how many missed moments are not made up for, and the last of them
         n messages: due_at: ms, or "+" and the ms from now
INCLUDES clock slices flow due moment wake events pending
PARTS    lanes flow_keys runs
RETURNS  {1 or 0, ...} per schedule; 0: another server planned it, or it was changed, and nothing was done
CODES    none
COST     O(n log N) for n messages
]]
-- Return a number of moments, as counted in a field of the schedule.
local function count(sid, field, n)
  if n > 0 then
    redis.call('HINCRBY', sched .. sid, '#' .. field, n)
  end
end

-- Store the messages of missed moments; return the position after them.
local function catch_up(sid, generation, at, n)
  local caught = 0
  for _ = 1, n do
    local origin = ARGV[at + 2]
    if parts.runs.make(sid, generation, ARGV[at], moment_of(ARGV[at + 1]), origin) and origin == 'catch_up' then
      caught = caught + 1
    end
    at = at + 3
  end
  count(sid, 'caught', caught)
end

-- s: as read below.
local function move_on(sid, generation, at, s)
  local following, id, due_at = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local key = sched .. sid
  if following == '' then
    redis.call('HSET', key, 'state', 'ended')
    parts.runs.schedule_event('ended', sid)
    redis.call('HDEL', key, 'next', 'tail', 'late')
    redis.call('ZREM', plans, sid)
    redis.call('ZADD', rests, 2, sid)
    return
  end
  local tail = string.sub(id, #pending_of(sid, following) + 1)
  redis.call('HSET', key, 'next', following, tail ~= '' and 'tail' or 'next', tail ~= '' and tail or following)
  if s[6] or (s[4] and tail == '') then
    redis.call('HDEL', key, 'late', tail == '' and 'tail' or 'late')
  end
  redis.call('ZADD', plans, due_at, sid)
  parts.runs.make(sid, generation, id, due_at, 'plan')
end

local results = {}
local at = items
while ARGV[at] do
  local sid = ARGV[at]
  local n = tonumber(ARGV[at + 9])
  local s = redis.call('HMGET', sched .. sid, 'u', 'next', 'gen', 'tail', 'c', 'late')
  local revision, generation = parts.runs.revisions_of(s[5], s[1], s[3])
  local missed = ARGV[at + 6] == '1'
  -- A planner may stall after it has read.  If the message was taken back as late meanwhile, it has to decide again.
  local stale = s[6] == s[2] and not missed
  if revision == ARGV[at + 1] and s[2] == ARGV[at + 2] and not stale then
    local given_up = tonumber(ARGV[at + 7])
    -- Before `next` is overwritten, and before a message of the same moment is made again.
    if missed then
      local id = pending_of(sid, s[2], s[4])
      if parts.runs.take_back(id) then
        parts.runs.left(sid, id)
      end
    end
    catch_up(sid, generation, at + 10, n)
    move_on(sid, generation, at, s)
    count(sid, 'made', n + (missed and 0 or 1))
    count(sid, 'missed', given_up)
    if given_up > 0 then
      parts.runs.count_skips('missed', given_up)
      parts.runs.schedule_event('missed', sid)
      parts.runs.record(sid, 'missed', pending_of(sid, ARGV[at + 8]), 'plan', given_up)
    end
    results[#results + 1] = 1
  else
    results[#results + 1] = 0
  end
  at = at + 10 + 3 * n
end
emit()
wake()
return results
