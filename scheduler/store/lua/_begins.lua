--[[
begins: whether a run may begin.
INCLUDES finish outbox pending
]]
-- It is decided when its message is claimed, because only then is it known what is under way.

local WHY = {
  gone = 'skipped: its schedule was deleted',
  changed = 'skipped: its schedule was changed before it began',
  overlap = 'skipped: the run before it had not ended',
}

-- {id, field `i`, reason} of runs that did not begin; without a reason the planner decides what becomes of its moment
local skipped = {}

-- End a run that does not begin.
local function skip(id, text, m, due_at, reason)
  local key = msg .. id
  local size = weight(key, redis.call('HGET', key, 'z')) + #WHY[reason]
  redis.call('HSET', key, 's', 'cancelled', 'd', due_at, 'f', now_text, 'z', size, 'e', WHY[reason])
  redis.call('ZREM', held, id)
  keep(done, 'done_bytes', {now_text, id}, size)
  to_outbox({now_text, id}, size)
  event('cancelled', id, m[2], 0)
  if reason ~= 'gone' then
    skipped[#skipped + 1] = {id, text, reason}
  end
  return false
end

-- Tell schedules of runs that did not begin.  After the claim has removed what it took from the sets: this may make a
-- message again that waited for the run before it, and the claim may have taken the first one of it.
local function end_skipped()
  for _, run in ipairs(skipped) do
    if run[3] then
      parts.runs.ended(run[1], run[2], run[3])
    else
      parts.runs.left(parts.runs.made_by(run[1], run[2]), run[1])
    end
  end
end

-- Whether a user asked for this run with a redrive.
local function redriven(id)
  return redis.call('HEXISTS', msg .. id, 'o') == 1
end

local function under_way(id)
  local m = redis.call('HMGET', msg .. id, 'p', 'f')
  return m[1] and not m[2]
end

-- Return what a schedule's `overlap` does with a run that would begin before the one before it has ended: 'skip' or
-- 'buffer'; 'first': the run begins, and is the one that later runs wait for; 'beside': it begins beside others.
-- policy, busy, buffered: fields of the schedule.
-- wanted: the run begins whatever the policy says, because it was begun before or a client asked for it.
local function by_overlap(policy, busy, buffered, id, wanted)
  if not (busy and busy ~= id and under_way(busy)) then
    return 'first'
  end
  if wanted then
    return 'beside'
  end
  return policy == 'buffer' and not buffered and 'buffer' or 'skip'
end

-- Return whether this run begins.  False: its message has left the due set or was ended.
-- m: fields of the message; attempt: the one that would begin.
local function run_begins(id, text, m, due_at, attempt)
  local sid, generation, origin = parts.runs.made_by(id, text)
  local key = sched .. sid
  local s = redis.call('HMGET', key, 'c', 'next', 'overlap', 'busy', 'buffered', 'u', 'gen')
  local _, current = parts.runs.revisions_of(s[1], s[6], s[7])
  if not s[1] then
    -- A redrive is asked for after all, and its dead letter is gone.
    return redriven(id) or skip(id, text, m, due_at, 'gone')
  end
  -- What has been attempted goes on, and so does what a user asked for with a redrive (few do: asked last).
  local begun = attempt > 1
  if not begun and current ~= generation and not redriven(id) then
    return skip(id, text, m, due_at, 'changed')
  end
  if not begun and origin == 'plan' and s[2] and parts.runs.moment_in(id, sid) == tonumber(s[2])
    and is_late(redis.call('ZSCORE', plans, sid)) and not redriven(id) then
    -- Nobody has planned since its moment.  The planner decides what to make of it and of those after it.
    redis.call('HSET', key, 'late', s[2])
    redis.call('ZREM', held, id)
    redis.call('UNLINK', msg .. id)
    event('cancelled', id, m[2], 0)
    if s[4] == id then
      -- It was begun, and given back when a server stopped.
      skipped[#skipped + 1] = {id, text}
    end
    return false
  end
  if not s[3] then
    return true  -- `allow`
  end
  local verdict = by_overlap(s[3], s[4], s[5], id, begun or origin == 'run' or redriven(id))
  if verdict == 'skip' then
    return skip(id, text, m, due_at, 'overlap')
  end
  if verdict == 'buffer' then
    -- It is made again when the run before it ends.
    redis.call('HSET', key, 'buffered', id .. ' ' .. origin)
    redis.call('ZREM', held, id)
    redis.call('UNLINK', msg .. id)
    event('cancelled', id, m[2], 0)
    return false
  end
  if verdict == 'first' then
    redis.call('HSET', key, 'busy', id)
  end
  return true
end

return {run_begins = run_begins, end_skipped = end_skipped}
