--[[
set_schedule: create, change, pause, resume or delete a schedule, and with it the message of its next moment.
KEYS     due lanes flow held msg idem meta events sched plans rests runs failing
ARGV     now wake_channel partition events_kept schedule revision upcoming state keeps id due_at key fingerprint key_ttl items...
         revision, upcoming: as they were read (upcoming: the next moment, '' when it has none); '' of a schedule that must
         not exist yet
         state: active | paused | ended | deleted
         keeps '1': neither the plan nor what its messages are changes; runs that have not begun stay as they are
         id, due_at: the message of the next moment of an active schedule
         key: Idempotency-Key or ''; key_ttl: ms
         items, 2 each: field value; '' deletes the field
INCLUDES clock slices flow due wake events pending
PARTS    lanes flow_keys runs
RETURNS  {code, detail}
CODES    0 done; detail: its revision
         1 it differs from what was read, or exists already
         2 the key was used with the same fingerprint; detail: the schedule that was made then
         3 the key was used with another fingerprint
COST     O(log N)
]]
if key ~= '' then
  local used = redis.call('GET', idem .. key)
  if used then
    local mark = string.find(used, ' ', 1, true)
    local same = string.sub(used, 1, mark - 1) == fingerprint
    return {same and 2 or 3, string.sub(used, mark + 1)}
  end
end
local name = sched .. schedule
local s = redis.call('HMGET', name, 'c', 'next', 'tail', 'gen', 'state', 'u', 'late')
local current, generation = parts.runs.revisions_of(s[1], s[6], s[4])
if (current or '') ~= revision or (s[2] or '') ~= upcoming then
  return {1, ''}
end

if state == 'paused' or state == 'deleted' then
  -- A write that takes no memory (as in _moves.lua): a full Redis lets both go on, and they free some.
  redis.call('PERSIST', msg)
end
-- Above all that were before, also of a schedule with this id that was deleted.
local changed = string.format('%.0f', math.max(now_ms, (tonumber(current) or 0) + 1))
if state == 'deleted' then
  if s[2] then
    parts.runs.take_back(pending_of(schedule, s[2], s[3]))
  end
  redis.call('UNLINK', name, runs .. schedule)
  redis.call('ZREM', plans, schedule)
  redis.call('ZREM', rests, schedule)
  redis.call('ZREM', failing, schedule)
  parts.runs.schedule_event('deleted', schedule)
  emit()
  return {0, changed}
end

local values, emptied = {s[1] and 'u' or 'c', changed}, {'state', 'next', 'tail', 'late'}
local function set(field, value)
  if value == '' then
    emptied[#emptied + 1] = field
  else
    values[#values + 1] = field
    values[#values + 1] = value
  end
end
for at = items, #ARGV, 2 do
  set(ARGV[at], ARGV[at + 1])
end
set('gen', keeps == '1' and generation or '')
generation = keeps == '1' and generation or changed
redis.call('HSET', name, unpack(values))
redis.call('HDEL', name, unpack(emptied))
if s[2] and not (keeps == '1' and state == 'active') then
  local pending = pending_of(schedule, s[2], s[3])
  local taken = parts.runs.take_back(pending)
  if taken then
    parts.runs.left(schedule, pending)
  end
  if (taken or s[7] == s[2]) and pending ~= id and tonumber(s[2]) <= now_ms then
    -- Its moment had come, and no server had begun it yet.
    redis.call('HINCRBY', name, '#changed', 1)
    parts.runs.count_skips('changed', 1)
    parts.runs.schedule_event('skipped', schedule)
    parts.runs.record(schedule, 'changed', pending, 'plan')
  end
end
if state == 'active' then
  local following = string.format('%.0f', parts.runs.moment_in(id, schedule))
  local tail = string.sub(id, #pending_of(schedule, following) + 1)
  redis.call('HSET', name, 'next', following)
  if tail ~= '' then
    redis.call('HSET', name, 'tail', tail)
  end
  redis.call('ZREM', rests, schedule)
  redis.call('ZADD', plans, due_at, schedule)
  parts.runs.make(schedule, generation, id, due_at, 'plan')
  -- pcall: the schedule is stored by now, and the planners find it at their next poll.
  redis.pcall('PUBLISH', wake_channel, partition .. ' ' .. due_at .. ' plan')
else
  redis.call('HSET', name, 'state', state)
  redis.call('ZREM', plans, schedule)
  redis.call('ZADD', rests, state == 'paused' and 1 or 2, schedule)
end
local before = s[5] or 'active'
local same = before == state and 'changed' or state == 'active' and 'resumed' or state
parts.runs.schedule_event(s[1] and same or 'created', schedule)
if key ~= '' then
  redis.call('SET', idem .. key, fingerprint .. ' ' .. schedule, 'PX', key_ttl)
end
emit()
wake()
return {0, changed}
