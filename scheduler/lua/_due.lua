-- The due set of a priority, and the wake-up of the dispatchers.
local DUE = {high = due_high, normal = due_normal, low = due_low}

-- The earliest due_at of the partition, nil when nothing waits.
local function earliest()
  local first
  for _, set in pairs(DUE) do
    local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
    if head[2] then
      local score = tonumber(head[2])
      if not first or score < first then
        first = score
      end
    end
  end
  return first
end

-- Tell the dispatchers when `due_at` (a number or nil) lies before what they are sleeping towards.  The messages are
-- written already, so a user who may not publish must not fail the script: the dispatchers find them at their next poll.
local function wake(before, due_at)
  if due_at and (not before or due_at < before) then
    redis.pcall('PUBLISH', wake_channel, partition .. ' ' .. string.format('%.0f', due_at))
  end
end

-- The moment (ms, as text) that is asked for by a moment, or, 0 and below, by so many ms from now.
local function moment_of(asked)
  local at = tonumber(asked)
  return at > 0 and asked or string.format('%.0f', now_ms - at)
end
