-- Flow keys: give them their turns, and store what a call has changed of them.

-- Add give_turns to `keys`.
local function make_turns(keys)
  local states, opens_at, first_of, due_of = keys.states, keys.opens_at, keys.first_of, keys.due_of
  local first_queue, NO_LIMITS = keys.first_queue, keys.NO_LIMITS

  -- What give_turns is about to write: turns as {moment, key, ...} by lane and priority, states as {name, text, ...}, keys
  -- that are new and keys that are gone, and the turns of the latter.
  local given, stored, new, gone, taken = {}, {}, {}, {}, {}

  -- As in_slices, for commands that take more, or less, than one set before the list.
  local function by_slices(list, write)
    for first = 1, #list, SLICE do
      write(unpack(list, first, math.min(first + SLICE - 1, #list)))
    end
  end

  local function list_of(lists, name)
    local list = lists[name] or {}
    lists[name] = list
    return list
  end

  -- Let a key go from a moment on.  A turn that it has already only moves forward in time: it keeps its place.
  local function give_turn(s, name, moment)
    if not (s.popped and s.popped[name]) then
      parts.lanes.note(string.match(name, '^(.*):[^:]*$'), moment)
    end
    local list = list_of(given, name)
    list[#list + 1], list[#list + 2] = moment, s.key
  end

  -- Store what this call has changed of a key.
  local function save_key(s)
    local text = string.format('%d %d %d %d %d %d %s %s %s',
      s.flight, s.used, s.begun, s.opened, s.number, s.count, s.paused, s.limits.text, s.queues)
    if text ~= s.text then
      s.text = text
      stored[#stored + 1], stored[#stored + 2] = flow .. 'key:' .. s.key, text
    end
    if not s.exists then
      s.exists = true
      new[#new + 1], new[#new + 2] = 0, s.key
    end
  end

  -- Delete a key that has no message.  One whose window has not ended stays until then, with a turn for its deletion.
  local function end_key(s)
    local ends = s.limits.rate and s.used > 0 and s.begun + s.limits.period
    if ends and now_ms < ends then
      give_turn(s, s.queues, ends)
      save_key(s)
      return
    end
    for name in string.gmatch(s.queues, '%S+') do
      local list = list_of(taken, name)
      list[#list + 1] = s.key
    end
    gone[#gone + 1] = s.key
    states[s.key] = nil
  end

  -- Give an open key a turn in each queue in which a message waits; an ordered key only in that of its first message.
  local function turns_of_queues(s, at)
    local several = string.find(s.queues, ' ', 1, true)
    local first = several and s.limits.ordered and first_queue(s)
    local waiting = {}
    for name in string.gmatch(s.queues, '%S+') do
      local _, score = first_of(s.key, name)
      if score then
        waiting[#waiting + 1] = name
        if not first or first == name then
          give_turn(s, name, math.max(at, due_of(score)))
        end
      end
    end
    s.queues = table.concat(waiting, ' ')
  end

  -- Give a key the turns that follow from its state, or delete it.
  local function review_key(s)
    local at = opens_at(s)
    if s.count > 0 then
      if at then
        turns_of_queues(s, at)
      end
    else
      -- One name stays: that of the turn in which the key is deleted.
      s.queues = string.match(s.queues, '%S*$')
      if s.flight == 0 and s.limits.pinned == NO_LIMITS then
        if s.paused == '0' then
          end_key(s)
          return
        elseif #s.paused > 1 then
          -- Paused for a while: deleted when that has ended.  A key that never had a message has no queue of its own.
          s.queues = s.queues ~= '' and s.queues or 'echo:normal'
          give_turn(s, s.queues, tonumber(s.paused))
        end
      end
    end
    save_key(s)
  end

  -- Give a key to which messages were added its turns.
  local function welcome(s)
    local at = s.arrived and opens_at(s)
    if at then
      for name, due_at in pairs(s.arrived) do
        give_turn(s, name, math.max(at, due_at))
      end
    end
    save_key(s)
  end

  local function write_keys()
    for name, list in pairs(given) do
      by_slices(list, function(...) redis.call('ZADD', turns_of(name), 'LT', ...) end)
    end
    for name, list in pairs(taken) do
      in_slices('ZREM', turns_of(name), list)
    end
    by_slices(stored, function(...) redis.call('MSET', ...) end)
    in_slices('ZADD', flow .. 'keys', new)
    in_slices('ZREM', flow .. 'keys', gone)
    for i, key in ipairs(gone) do
      gone[i] = flow .. 'key:' .. key
    end
    by_slices(gone, function(...) redis.call('UNLINK', ...) end)
    given, stored, new, gone, taken = {}, {}, {}, {}, {}
  end

  -- Give the keys that this call has touched the turns that they may have, and store them.
  local function give_turns()
    keys.free_slots()
    for _, s in ipairs(keys.take_touched()) do
      s.touched = nil
      if s.review then
        review_key(s)
      else
        welcome(s)
      end
      s.review, s.arrived = nil, nil
    end
    write_keys()
  end

  keys.give_turns = give_turns
end
