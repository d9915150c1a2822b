--[[
runs: what a schedule hears of its runs.
INCLUDES accept
]]
-- Runs are messages with the field `i`: "generation origin", the origin left out for `plan`, and an id that begins with
-- the schedule's: "schedule:moment".  A message without the field costs a check for nil.

local RUNS_KEPT = 20
-- Cut off at once, when there are so many more: one write less for each run.
local RUNS_OVER = 10

-- Return schedule, generation and origin of a run.  text: its field `i`.
local function made_by(id, text)
  local generation, origin = string.match(text, '^(%S+) ?(%S*)$')
  return string.match(id, '^(.*):'), generation, origin == '' and 'plan' or origin
end

-- Return the revision of a schedule, and the one at which its messages were last changed.  u, c, gen: its fields; each
-- is left out while it equals the one before.
local function revisions_of(c, u, gen)
  return u or c, gen or u or c
end

-- Return the moment (ms) of a run that the plan knows: it stands in the id, behind that of the schedule.
local function moment_in(id, sid)
  return tonumber(string.match(string.sub(id, #sid + 2), '^%d+'))
end

-- Tell viewers what happened to a schedule.
local function schedule_event(name, sid)
  event('schedule_' .. name, sid, 'schedule', 0)
end

-- Count moments without a delivery, for the whole service.
local function count_skips(reason, n)
  redis.call('HINCRBY', meta, 'skips_' .. reason, n)
end

-- Add to the last runs of a schedule.  n: how many moments it stands for, left out for 1.
local function record(sid, outcome, id, origin, n)
  local text = outcome .. ' ' .. now_text .. ' ' .. id .. ' ' .. origin .. (n and ' ' .. n or '')
  if redis.call('LPUSH', runs .. sid, text) > RUNS_KEPT + RUNS_OVER then
    redis.call('LTRIM', runs .. sid, 0, RUNS_KEPT - 1)
  end
end

-- The template of a schedule: the optional fields of its messages, then the payload.
local TEMPLATE = {unpack(OPTIONAL)}
TEMPLATE[#TEMPLATE + 1] = 'p'

-- Store the message of a run; false when it exists.  due_at: ms; priority: instead of the template's, or nil.
local function make_run(sid, generation, id, due_at, origin, priority)
  if redis.call('EXISTS', msg .. id) == 1 then
    return false
  end
  local found = redis.call('HMGET', sched .. sid, unpack(TEMPLATE))
  found[2] = priority or found[2]
  accept(id, due_at, found[#TEMPLATE], found, 1, {
    'i', generation .. (origin ~= 'plan' and ' ' .. origin or ''),
  })
  return true
end

-- What is read of a schedule to know whether a run waits for another.
local WAITING = {'c', 'busy', 'buffered', 'u', 'gen'}

-- A run is under way no more: the next one of its schedule may begin, and one that was kept waiting for it does.
-- s: WAITING of the schedule.
local function make_way(sid, id, s)
  if s[2] ~= id then
    return
  end
  redis.call('HDEL', sched .. sid, 'busy', 'buffered')
  if s[3] then
    local _, generation = revisions_of(s[1], s[4], s[5])
    local kept, origin = string.match(s[3], '^(%S+) (%S+)$')
    make_run(sid, generation, kept, now_text, origin)
  end
end

-- The same for a run that leaves without an outcome: it was begun, given back and taken back.
local function left(sid, id)
  make_way(sid, id, redis.call('HMGET', sched .. sid, unpack(WAITING)))
end

-- Delete a run that was never attempted, as if it had not been made; false when there is none.  A message of somebody who
-- has given it the id of a run stays.
local function take_back(id)
  local m = redis.call('HMGET', msg .. id, 'p', 's', 'q', 'n', 'a', 'y', 'j', 'o', 'F', 'i')
  if not m[10] or m[2] or (tonumber(m[5]) or 0) > 0 or m[8] then
    return false
  end
  parts.lanes.leave(id, lane_of(m[4], m[6], m[7]), m[3], m[9])
  redis.call('ZREM', held, id)
  redis.call('UNLINK', msg .. id)
  event('cancelled', id, m[4], 0)
  return true
end

-- Whether there are schedules whose last run ended dead; asked once in a call.
local any_failing

-- A run has ended.  text: the field `i`; outcome: delivered, dead or cancelled, or a reason why it was skipped.
local function run_ended(id, text, outcome)
  local sid, _, origin = made_by(id, text)
  local s = redis.call('HMGET', sched .. sid, unpack(WAITING))
  -- The schedule may have been deleted since.
  if s[1] then
    redis.call('HINCRBY', sched .. sid, '#' .. outcome, 1)
    record(sid, outcome, id, origin)
    if outcome == 'overlap' or outcome == 'changed' then
      count_skips(outcome, 1)
      schedule_event('skipped', sid)
    end
    if any_failing == nil then
      any_failing = redis.call('EXISTS', failing) == 1
    end
    if outcome == 'dead' then
      redis.call('ZADD', failing, now_text, sid)
      any_failing = true
    elseif outcome == 'delivered' and any_failing then
      redis.call('ZREM', failing, sid)
    end
    make_way(sid, id, s)
  end
end

return {
  made_by = made_by, revisions_of = revisions_of, moment_in = moment_in, schedule_event = schedule_event,
  count_skips = count_skips, record = record, make = make_run, left = left, take_back = take_back, ended = run_ended,
}
