-- The due sets, one for each lane and priority, and the wake-up of the dispatchers.  A claim for one lane therefore never
-- walks over what waits in another.
local PRIORITIES = {'high', 'normal', 'low'}
-- One for echo, one for webhooks, one for each job type: a service with more of them than this has another problem.
local MOST_LANES = 1000

-- The lane of a message: the stored one, or the one that follows from its channel and type.
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

-- The earliest due_at of a lane, nil when nothing waits in it.
local function earliest(lane)
  local first
  for _, priority in ipairs(PRIORITIES) do
    local head = redis.call('ZRANGE', due_set(lane, priority), 0, 0, 'WITHSCORES')
    if head[2] then
      local score = tonumber(head[2])
      if not first or score < first then
        first = score
      end
    end
  end
  return first
end

-- lane → {before = earliest due_at before this call, first = earliest due_at that this call added}
local entered = {}

-- Put a message into its lane's due set.  due_at: a number, or its text.
local function enter(id, lane, priority, due_at)
  local seen = entered[lane]
  if not seen then
    seen = {before = earliest(lane)}
    entered[lane] = seen
    redis.call('ZADD', lanes, 0, lane)
  end
  redis.call('ZADD', due_set(lane, priority), due_at, id)
  local moment = tonumber(due_at)
  if not seen.first or moment < seen.first then
    seen.first = moment
  end
end

-- Tell the dispatchers when a message lies before what they are sleeping towards in its lane.  The messages are written
-- already, so a user who may not publish must not fail the script: the dispatchers find them at their next poll.
local function wake()
  local first
  for _, seen in pairs(entered) do
    if (not seen.before or seen.first < seen.before) and (not first or seen.first < first) then
      first = seen.first
    end
  end
  if first then
    redis.pcall('PUBLISH', wake_channel, partition .. ' ' .. string.format('%.0f', first))
  end
end

-- The moment (ms, as text) that is asked for by a moment, or, 0 and below, by so many ms from now.
local function moment_of(asked)
  local at = tonumber(asked)
  return at > 0 and asked or string.format('%.0f', now_ms - at)
end
