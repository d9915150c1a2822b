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

-- Return the earliest due_at of a lane; nil when no message waits in it.
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

-- Add a message to its lane's due set.  due_at: a number or its text.
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

-- Wake the dispatchers when this call added a message that is due before all others of its lane.  The messages are
-- stored by now, so a missing right to publish must not fail the script: the dispatchers find them at their next poll.
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

-- Return the due_at (ms, as text) that a request asks for: a moment, or "+" and the ms from now.
local function moment_of(asked)
  local from_now = string.match(asked, '^%+(%d+)$')
  return from_now and string.format('%.0f', now_ms + from_now) or asked
end
