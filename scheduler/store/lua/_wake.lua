-- Give keys their turns, and wake the dispatchers.

-- Let a key go from a moment on.  A turn that it has already only moves forward in time: it keeps its place.
local function give_turn(s, name, moment)
  local lane = string.match(name, '^(.*):[^:]*$')
  if not s.popped[name] then
    note(lane, moment)
  end
  redis.call('ZADD', turns_of(name), 'LT', moment, s.key)
end

-- Delete a key that has no message.  One whose window has not ended stays until then, with a turn for its deletion.
local function end_key(s)
  if s.rate and s.used > 0 and now_ms < s.begun + s.period then
    give_turn(s, s.queues, s.begun + s.period)
    save_key(s)
  else
    for name in string.gmatch(s.queues, '%S+') do
      redis.call('ZREM', turns_of(name), s.key)
    end
    redis.call('UNLINK', flow .. 'key:' .. s.key)
    redis.call('ZREM', flow .. 'keys', s.key)
    states[s.key] = nil
  end
end

-- Give a key a turn in each queue in which a message waits; an ordered key only in that of its first message.
local function review_key(s)
  local at = opens_at(s)
  if not at and s.flight > 0 then
    save_key(s)
    return
  end
  local first = s.ordered and first_queue(s)
  local waiting, last = {}, ''
  for name in string.gmatch(s.queues, '%S+') do
    local _, score = head_of(queue_of(s.key, name))
    if score then
      waiting[#waiting + 1] = name
      if at and (not first or first == name) then
        give_turn(s, name, math.max(at, due_of(score)))
      end
    end
    last = name
  end
  -- One name stays: that of the turn in which the key is deleted.
  s.queues = #waiting > 0 and table.concat(waiting, ' ') or last
  if #waiting == 0 and s.flight == 0 and s.paused == '' and s.pinned == NO_LIMITS then
    end_key(s)
  else
    save_key(s)
  end
end

-- Give a key to which messages were added its turns.
local function welcome(s)
  local at = opens_at(s)
  for name, due_at in pairs(s.arrived) do
    if at then
      give_turn(s, name, math.max(at, due_at))
    end
  end
  save_key(s)
end

-- Give the keys that this call has touched the turns that they may have, and store them.
local function give_turns()
  for _, s in ipairs(touched) do
    s.touched = nil
    if s.review then
      review_key(s)
    else
      welcome(s)
    end
    s.review, s.arrived = nil, {}
  end
  touched = {}
end

-- Wake the dispatchers when this call added something to claim before all else in its lane.  The messages are stored by
-- now, so a missing right to publish must not fail the script: the dispatchers find them at their next poll.
local function wake()
  give_turns()
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
