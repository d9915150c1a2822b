-- The due sets, and the wake-up of the dispatchers.  There is one due set for each lane and priority, so that a claim
-- for one lane never walks over messages of another.
local PRIORITIES = {'high', 'normal', 'low'}
-- Far above what a service has: one lane for echo, one for webhooks, one for each job type.
local MOST_LANES = 1000

-- Return the lane of a message: the stored one, else the one that its channel and type imply.
local function lane_of(channel, type, stored)
  if stored then
    return stored
  end
  if channel == 'job' then
    return 'job:' .. (type or '')
  end
  return channel or 'echo'
end

local function due_set(lane, priority)
  return due .. lane .. ':' .. (priority or 'normal')
end

-- Return the first of a set and its score (a number); nil when the set is empty.
local function head_of(set)
  local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  return head[1], tonumber(head[2])
end

-- Return the earliest moment at which a lane has something to claim; nil when it has nothing: no message waits in it, or
-- all those that wait have flow keys that may not go.
local function earliest(lane)
  local first
  for _, priority in ipairs(PRIORITIES) do
    local _, score = head_of(due_set(lane, priority))
    if score and (not first or score < first) then
      first = score
    end
    if any_keys() then
      _, score = head_of(turns_of(lane .. ':' .. priority))
      if score and (not first or score < first) then
        first = score
      end
    end
  end
  return first
end

-- Return whether no message waits in a lane, and no key has a turn there.
local function is_empty(lane)
  for _, priority in ipairs(PRIORITIES) do
    local name = lane .. ':' .. priority
    if redis.call('EXISTS', due_set(lane, priority), keyed_set(lane, priority), turns_of(name)) > 0 then
      return false
    end
  end
  return true
end

local listed = {}

-- Name a lane among those that hold something.
local function list_lane(lane)
  if not listed[lane] then
    listed[lane] = true
    redis.call('ZADD', lanes, 0, lane)
  end
end

-- lane → {before = its earliest moment before this call, first = the earliest that this call added}
local entered = {}

-- Call this before a moment at which a lane has something to claim is added.
local function note(lane, moment)
  local seen = entered[lane]
  if not seen then
    seen = {before = earliest(lane)}
    entered[lane] = seen
    list_lane(lane)
  end
  if not seen.first or moment < seen.first then
    seen.first = moment
  end
end

-- Add a scheduled message to its lane, or to its flow key.  due_at: a number or its text; mark: the field F; begun: see
-- `join_key`.
local function enter(id, lane, priority, due_at, mark, begun)
  if mark then
    list_lane(lane)
    flow_keys().join(id, mark, lane, priority, due_at, begun)
    return
  end
  note(lane, tonumber(due_at))
  redis.call('ZADD', due_set(lane, priority), due_at, id)
end

-- Return the set that has the due_at of a scheduled message.
local function set_of(lane, priority, mark)
  return mark and keyed_set(lane, priority) or due_set(lane, priority)
end

-- Take a scheduled message away from where it waits.
local function leave(id, lane, priority, mark)
  if mark then
    flow_keys().leave(id, mark, lane, priority)
  else
    redis.call('ZREM', due_set(lane, priority), id)
  end
end

-- Return the due_at (ms, as text) that a request asks for: a moment, or "+" and the ms from now.
local function moment_of(asked)
  local from_now = string.match(asked, '^%+(%d+)$')
  return from_now and string.format('%.0f', now_ms + from_now) or asked
end
