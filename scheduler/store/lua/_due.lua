-- The due sets.  There is one for each lane and priority, so that a claim for one lane never walks over messages of
-- another.
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
