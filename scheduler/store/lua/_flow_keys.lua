--[[
flow_keys: the states of flow keys, their limits and the places of their messages.
INCLUDES bytes flow_queues turns
]]
-- flow:key:<key> is its state in words, in the order of `FLOW_WORDS` in keys.py.  A call reads the states that it needs
-- with one command, and writes those that it has changed with another.
local WORDS = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+ %S+ %S+) ?(.*)$'
local NO_LIMITS = ',,'

-- Of an ordered key, a message that has begun comes before all others until it ends.  Its score in the queue is its
-- due_at minus AHEAD.
local AHEAD = 1e15
local MOST_AHEAD = 1000

-- Digits of a number in a queue.
local LENGTH = 5

local queues = make_queues()

-- Digits in the order of their bytes, so that texts of equal length sort as their numbers do.
local DIGITS = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'

-- key → its state, as this call has read and changed it
local states = {}
-- those that have to be written at the end of this call
local touched = {}
-- The keys of messages that are not in flight any more, and when they were claimed; false: they were attempted.
local freed, given_back = {}, {}

local function key_of(mark)
  return string.sub(mark, (string.find(mark, '/', 1, true) or LENGTH) + 1)
end

-- Return a number as text.  After a billion messages of a key that always had some, it begins again: order is lost
-- only between messages of the same millisecond that were accepted before and after.
local function digits_of(number)
  local text = ''
  for _ = 1, LENGTH do
    local digit = number % 64
    text = string.sub(DIGITS, digit + 1, digit + 1) .. text
    number = (number - digit) / 64
  end
  return text
end

local function number_in(text)
  local number = 0
  for i = 1, LENGTH do
    number = number * 64 + string.find(DIGITS, string.sub(text, i, i), 1, true) - 1
  end
  return number
end

-- Return the member of a queue for a message, and the id of a member.
local function place_of(mark, id)
  local slash = string.find(mark, '/', 1, true)
  local number = string.sub(mark, 1, slash and slash - 1 or LENGTH)
  return string.rep('-', LENGTH - #number) .. number .. id
end

local function id_in(place)
  return string.sub(place, LENGTH + 1)
end

-- name: <lane>:<priority>
local function queue_of(key, name)
  return key .. '/' .. name
end

-- Return the first place of a queue and its score (a number); nil when it is empty.
local function first_of(key, name)
  return head_of(queues.first_piece(queue_of(key, name)))
end

-- Return the due_at (ms) that a score in a queue stands for.
local function due_of(score)
  local at = tonumber(score)
  return at < 0 and at + AHEAD or at
end

-- Return limits with those of `newer`, where it has some, in the place of the older ones.
local function merged(older, newer)
  local pattern = '^([^,]*),([^,]*),([^,]*)$'
  local result = {string.match(older, pattern)}
  for i, value in ipairs({string.match(newer, pattern)}) do
    result[i] = value ~= '' and value or result[i]
  end
  return table.concat(result, ',')
end

-- text → the limits that it stands for: most keys of a call have the same
local known_limits = {}

-- Return the limits of a key: what came with messages, what the settings say, what was pinned, and what is in force, as
-- numbers, nil for none.  text: the first three.
local function limits_in(text)
  local limits = known_limits[text]
  if not limits then
    local given, default, pinned = string.match(text, '^(%S+) (%S+) (%S+)$')
    local in_force = merged(merged(default, given), pinned)
    local most, rate, period, ordered = string.match(in_force, '^(%d*),(%d*)/?(%d*),(%d?)$')
    limits = {
      text = text, given = given, default = default, pinned = pinned,
      most = ordered == '1' and 1 or tonumber(most), rate = tonumber(rate), period = tonumber(period),
      ordered = ordered == '1',
    }
    known_limits[text] = limits
  end
  return limits
end

-- Return the state that a text stands for; text: false when there is no such key.  paused: '0' for no, '1', or the moment (ms) at
-- which it ends.
local function parsed(key, text)
  local flight, used, begun, opened, number, count, paused, limits, queues = string.match(text or '', WORDS)
  if not flight then
    -- There is no such key, or its text was changed by hand: a script that fails here would have begun to write.
    return {
      key = key, flight = 0, used = 0, begun = 0, opened = 0, number = 0, count = 0, paused = '0',
      limits = limits_in(',, ,, ,,'), queues = '',
    }
  end
  local s = {
    key = key, text = text, exists = true, flight = tonumber(flight), used = tonumber(used), begun = tonumber(begun),
    opened = tonumber(opened), number = tonumber(number), count = tonumber(count), paused = paused,
    limits = limits_in(limits), queues = queues,
  }
  if #paused > 1 and tonumber(paused) <= now_ms then
    s.paused, s.opened = '0', math.max(s.opened, tonumber(paused))
  end
  return s
end

-- Read the states of keys that this call is going to ask for.
local function read_states(keys)
  local unread, list = {}, {}
  for _, key in ipairs(keys) do
    if states[key] == nil then
      states[key] = false
      unread[#unread + 1], list[#list + 1] = key, flow .. 'key:' .. key
    end
  end
  for first = 1, #list, SLICE do
    local texts = redis.call('MGET', unpack(list, first, math.min(first + SLICE - 1, #list)))
    for i, text in ipairs(texts) do
      local key = unread[first + i - 1]
      states[key] = parsed(key, text)
    end
  end
end

-- Return the state of a key.  What a call changes of it is written by give_turns.
local function state_of(key)
  if not states[key] then
    read_states({key})
  end
  local s = states[key]
  if not s.touched then
    s.touched = true
    touched[#touched + 1] = s
  end
  return s
end

-- Return the states that were asked for since the last time.
local function take_touched()
  local list = touched
  touched = {}
  return list
end

-- Return the moment from which a key may go, as far as its limits say; nil: not before a message ends, or a resume.
local function opens_at(s)
  local most, rate = s.limits.most, s.limits.rate
  if s.paused == '1' or (most and s.flight >= most) then
    return nil
  end
  local at = s.paused == '0' and now_ms or math.max(tonumber(s.paused), now_ms)
  if rate and s.used >= rate then
    at = math.max(at, s.begun + s.limits.period)
  end
  return at
end

-- Return how many messages of an open key may begin now.
local function room_of(s)
  local most, rate = s.limits.most, s.limits.rate
  local room = most and most - s.flight or math.huge
  if rate then
    room = math.min(room, now_ms < s.begun + s.limits.period and rate - s.used or rate)
  end
  return room
end

-- Count an attempt that begins.
local function begin_at(s)
  local rate, period = s.limits.rate, s.limits.period
  s.flight = s.flight + 1
  if not rate then
    return
  end
  local ends = s.begun + period
  if now_ms >= ends then
    local full = s.used >= rate
    if full then
      s.opened = ends
    end
    -- While messages wait, windows follow each other without a gap.  Otherwise one begins with its first attempt.
    s.begun = full and now_ms < ends + period and ends or now_ms
    s.used = 0
  end
  s.used = s.used + 1
end

-- Note a message that is not in flight any more.  claimed_at: ms, of one that was given back and not attempted.
local function slot_freed(mark, claimed_at)
  local n = #freed + 1
  freed[n], given_back[n] = key_of(mark), claimed_at or false
end

local function free_slot(s, claimed_at)
  local was_closed = not opens_at(s)
  s.flight = math.max(0, s.flight - 1)
  if claimed_at and s.used > 0 and tonumber(claimed_at) >= s.begun then
    -- The window has room again, and the turn may be as late as its end.
    s.used, s.review = s.used - 1, true
  end
  if was_closed then
    s.opened, s.review = now_ms, true
  elseif s.flight == 0 and s.count == 0 then
    s.review = true
  end
end

-- Count the slots that this call has freed.
local function free_slots()
  read_states(freed)
  for i, key in ipairs(freed) do
    free_slot(state_of(key), given_back[i])
  end
  freed, given_back = {}, {}
end

-- Put messages of a key that have begun back among the others: it is not ordered any more.
local function level(s)
  local left = MOST_AHEAD
  for name in string.gmatch(s.queues, '%S+') do
    local place, score = first_of(s.key, name)
    while place and score < 0 and left > 0 do
      queues.remove(queue_of(s.key, name), score, place)
      queues.add(queue_of(s.key, name), due_of(score), place, s.count)
      left = left - 1
      place, score = first_of(s.key, name)
    end
  end
end

-- Give a key limits: those that came with messages, those of the settings, and those that were pinned.
local function set_limits(s, given, default, pinned)
  local before = s.limits
  s.limits = limits_in(given .. ' ' .. default .. ' ' .. pinned)
  if before.ordered and not s.limits.ordered then
    level(s)
  end
  s.review = true
end

-- Return the field F of a message that is accepted now.  asked: "key given default", the limits that came with it and
-- those of the settings.
local function number_of(asked)
  local key, given, default = string.match(asked, '^(%S+) (%S+) (%S+)$')
  local s = state_of(key)
  local limits = s.limits
  if given ~= NO_LIMITS and given ~= limits.given or default ~= limits.default then
    given = merged(limits.given, given)
    if given ~= limits.given or default ~= limits.default then
      set_limits(s, given, default, limits.pinned)
    end
  end
  s.number = s.number + 1
  return string.match(digits_of(s.number), '^%-*(.*)$') .. '/' .. key
end

-- Let a dead letter keep the limits of its key, which may be gone when it is redriven.  hash: of the message.
local function keep_limits(hash, mark)
  local limits = state_of(key_of(mark)).limits
  if limits.given ~= NO_LIMITS or limits.default ~= NO_LIMITS then
    redis.call('HSET', hash, 'G', limits.given .. ' ' .. limits.default)
  end
end

-- Take limits that a dead letter has kept, where its key is gone.
local function restore_limits(mark, kept)
  local s = state_of(key_of(mark))
  if not s.exists and s.number == 0 then
    local given, default = string.match(kept, '^(%S+) (%S+)$')
    s.number = 1
    set_limits(s, given, default, s.limits.pinned)
  end
end

local function add_queue(s, name)
  if not string.find(' ' .. s.queues .. ' ', ' ' .. name .. ' ', 1, true) then
    s.queues = s.queues == '' and name or s.queues .. ' ' .. name
  end
end

-- Count what waits in a queue of which the state does not know: the state was deleted by hand.
local function recount(s, name)
  local queue = queue_of(s.key, name)
  s.count = queues.sum(queue, 0, queues.last_piece(queue, '+inf'), 'ZCARD')
  add_queue(s, name)
end

-- Add a scheduled message to its key.  begun: it has been attempted, or waits for a destination that had no room.
local function join_key(id, mark, lane, priority, due_at, begun)
  local s = state_of(key_of(mark))
  local name = lane .. ':' .. (priority or 'normal')
  local at = tonumber(due_at)
  redis.call('ZADD', keyed_set(lane, priority), due_at, id)
  local ordered = s.limits.ordered
  local score = ordered and begun and at - AHEAD or due_at
  s.count = s.count + queues.add(queue_of(s.key, name), score, place_of(mark, id), s.count)
  add_queue(s, name)
  s.arrived = s.arrived or {}
  if not s.arrived[name] or at < s.arrived[name] then
    s.arrived[name] = at
  end
  s.review = s.review or ordered
  any = true
end

-- Take a scheduled message away from its key.
local function leave_key(id, mark, lane, priority)
  local s = state_of(key_of(mark))
  local due_at = tonumber(redis.call('ZSCORE', keyed_set(lane, priority), id) or 0)
  redis.call('ZREM', keyed_set(lane, priority), id)
  local name = lane .. ':' .. (priority or 'normal')
  local queue, place = queue_of(s.key, name), place_of(mark, id)
  local left = queues.remove(queue, due_at, place)
  if left == 0 then
    left = queues.remove(queue, due_at - AHEAD, place)
  end
  if s.count < left then
    recount(s, name)
  else
    s.count = s.count - left
  end
  s.review = true
end

-- Return whether one {place, score} comes before another one of the same key.
local function comes_first(head, other)
  return head[2] < other[2] or (head[2] == other[2] and number_in(head[1]) < number_in(other[1]))
end

-- Return the name of the queue in which the next message of an ordered key stands; nil when it has none.
local function first_queue(s)
  local first, first_name
  for name in string.gmatch(s.queues, '%S+') do
    local head = {first_of(s.key, name)}
    if head[1] and (not first or comes_first(head, first)) then
      first, first_name = head, name
    end
  end
  return first_name
end

local keys = {
  states = states, take_touched = take_touched, state_of = state_of, read_states = read_states, set_limits = set_limits,
  opens_at = opens_at, room_of = room_of, begin_at = begin_at, slot_freed = slot_freed, free_slots = free_slots,
  key_of = key_of, number_of = number_of, keep_limits = keep_limits, restore_limits = restore_limits, join = join_key,
  leave = leave_key, recount = recount, first_queue = first_queue, queues = queues, queue_of = queue_of,
  first_of = first_of, due_of = due_of, id_in = id_in, AHEAD = AHEAD, NO_LIMITS = NO_LIMITS,
}
make_turns(keys)
return keys
