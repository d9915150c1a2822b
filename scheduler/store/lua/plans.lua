--[[
plans: list the schedules whose moment has come, soonest first, with what their next moment follows from.
KEYS     plans sched msg meta
ARGV     now offset limit fields...
         offset: without the first N of them; fields: what to return of each schedule
INCLUDES moves clock pending
RETURNS  {now_us, wait_us, {schedule, missed, value, ...}, ...}
         wait_us: time until the next moment of a schedule; 0: more have come than `limit`; -1: there is none, or the
         service is paused
         missed: '' it is on time; '1' it is late, and the run of its moment was not begun; '0' it is late, and it was
CODES    none
COST     O(limit log N)
]]
local reply = {string.format('%.0f', now_us), -1}
if redis.call('HGET', meta, 'paused') then
  return reply
end

local wanted = {'next', 'tail', 'late'}
for i = fields, #ARGV do
  wanted[#wanted + 1] = ARGV[i]
end

-- A run that was claimed once has begun, whatever became of it.
local function is_missed(sid, m)
  if m[3] == m[1] then
    return true
  end
  local state = redis.call('HMGET', msg .. pending_of(sid, m[1], m[2]), 'p', 's', 'a', 'o')
  return state[1] and not state[2] and (tonumber(state[3]) or 0) == 0 and not state[4]
end

local found = redis.call('ZRANGEBYSCORE', plans, '-inf', now_text, 'WITHSCORES', 'LIMIT', offset, limit)
for i = 1, #found, 2 do
  local sid = found[i]
  local m = redis.call('HMGET', sched .. sid, unpack(wanted))
  if m[1] then
    local row = {sid, is_late(found[i + 1]) and (is_missed(sid, m) and '1' or '0') or ''}
    for f = 4, #wanted do
      row[#row + 1] = m[f]
    end
    reply[#reply + 1] = row
  else
    -- A schedule whose hash was deleted by hand.
    redis.call('ZREM', plans, sid)
  end
end

local head = redis.call('ZRANGEBYSCORE', plans, #found == 2 * tonumber(limit) and '-inf' or '(' .. now_text, '+inf',
  'WITHSCORES', 'LIMIT', 0, 1)
if head[2] then
  reply[2] = string.format('%.0f', math.max(0, tonumber(head[2]) * 1000 - now_us))
end
return reply
