-- Flow keys: limits that all messages with the same key share.
--
-- The field `F` of a message is its number at the key (5 digits of base 64, in the order of acceptance) and the key.
-- While such a message is scheduled it stands in two sets: in flow:due:<lane>:<priority> by due_at, for lists and
-- counts, and in the queue of its key, one for each lane and priority, as number and id.  A claim reads neither.  It
-- reads the turns: a key stands in flow:turns:<lane>:<priority> at the moment from which it may go, and a key that may
-- not go has no turn, however many messages wait there.
-- The fields of flow:key:<key>, and their names in a state.  Of limits that came from one place, the text is
-- "concurrency,rate/period,ordered".
local FLOW_FIELDS = {'n', 'u', 'b', 'e', 's', 'q', 'z', 'c', 'r', 'w', 'o', 'm', 'd', 'x'}
local FLOW_NAMES = {
  'flight', 'used', 'begun', 'opened', 'number', 'queues', 'paused', 'most', 'rate', 'period', 'ordered', 'given',
  'default', 'pinned',
}
local NO_LIMITS = ',,'

-- Of an ordered key, a message that has begun comes before all others until it ends.  Its score in the queue is its
-- due_at minus AHEAD.
local AHEAD = 1e15
local MOST_AHEAD = 1000

-- Digits in the order of their bytes, so that texts of equal length sort as their numbers do.
local DIGITS = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'
local LENGTH = 5

-- key → its state, as this call has read and changed it
local states = {}
-- those that have to be written at the end of this call
local touched = {}
-- whether any flow key exists; read once for a call
local any

local function any_keys()
  if any == nil then
    any = redis.call('EXISTS', flow .. 'keys') == 1
  end
  return any
end

-- Return a number as text.  After a billion messages of a key that always had some, it begins again: order is lost only
-- between messages of the same millisecond that were accepted before and after.
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

local function key_of(mark)
  return string.sub(mark, LENGTH + 1)
end

-- Return the member of a queue for a message, and the id of a member.
local function place_of(mark, id)
  return string.sub(mark, 1, LENGTH) .. id
end

local function id_in(place)
  return string.sub(place, LENGTH + 1)
end

-- name: <lane>:<priority>
local function queue_of(key, name)
  return flow .. 'queue:' .. key .. '/' .. name
end

local function turns_of(name)
  return flow .. 'turns:' .. name
end

-- The scheduled messages with a flow key of a lane and priority.
local function keyed_set(lane, priority)
  return flow .. 'due:' .. lane .. ':' .. (priority or 'normal')
end

-- Return the due_at (ms) that a score in a queue stands for.
local function due_of(score)
  local at = tonumber(score)
  return at < 0 and at + AHEAD or at
end

-- Read a key.  Limits are numbers, nil for none; paused: '' for no, '1', or the moment (ms) at which it ends.
local function state_of(key)
  local s = states[key]
  if not s then
    local m = redis.call('HMGET', flow .. 'key:' .. key, unpack(FLOW_FIELDS))
    s = {
      key = key, exists = m[5], known = {}, arrived = {}, popped = {},
      flight = tonumber(m[1]) or 0, used = tonumber(m[2]) or 0, begun = tonumber(m[3]) or 0, opened = tonumber(m[4]) or 0,
      number = tonumber(m[5]) or 0, queues = m[6] or '', paused = m[7] or '',
      most = tonumber(m[8]), rate = tonumber(m[9]), period = tonumber(m[10]), ordered = m[11] and 1,
      given = m[12] or NO_LIMITS, default = m[13] or NO_LIMITS, pinned = m[14] or NO_LIMITS,
    }
    for i, name in ipairs(FLOW_NAMES) do
      s.known[i] = s[name]
    end
    if not s.exists then
      -- A key has its number from the start.
      s.known[5] = nil
    end
    local ends = tonumber(s.paused)
    if ends and ends > 1 and ends <= now_ms then
      s.paused, s.opened = '', math.max(s.opened, ends)
    end
    states[key] = s
  end
  if not s.touched then
    s.touched = true
    touched[#touched + 1] = s
  end
  return s
end

-- Return the moment from which a key may go, as far as its limits say; nil: not before a message ends, or a resume.
local function opens_at(s)
  local most = s.ordered and 1 or s.most
  if s.paused == '1' or (most and s.flight >= most) then
    return nil
  end
  local at = tonumber(s.paused) or 0
  if s.rate and s.used >= s.rate then
    at = math.max(at, s.begun + s.period)
  end
  return math.max(at, now_ms)
end

-- Return how many messages of an open key may begin now.
local function room_of(s)
  local room = s.ordered and 1 or (s.most and s.most - s.flight or math.huge)
  if s.rate then
    room = math.min(room, now_ms < s.begun + s.period and s.rate - s.used or s.rate)
  end
  return room
end

-- Count an attempt that begins.
local function begin_at(s)
  s.flight = s.flight + 1
  if not s.rate then
    return
  end
  local ends = s.begun + s.period
  if now_ms >= ends then
    local full = s.used >= s.rate
    if full then
      s.opened = ends
    end
    -- While messages wait, windows follow each other without a gap.  Otherwise one begins with its first attempt.
    s.begun = full and now_ms < ends + s.period and ends or now_ms
    s.used = 0
  end
  s.used = s.used + 1
end

-- Count a message that is not in flight any more.  claimed_at: ms, of one that was given back and not attempted; nil.
local function slot_freed(mark, claimed_at)
  local s = state_of(key_of(mark))
  local was_closed = not opens_at(s)
  s.flight = math.max(0, s.flight - 1)
  if claimed_at and s.used > 0 and tonumber(claimed_at) >= s.begun then
    -- The window has room again, and the turn may be as late as its end.
    s.used, s.review = s.used - 1, true
  end
  if was_closed or s.flight == 0 then
    s.opened = was_closed and now_ms or s.opened
    s.review = true
  end
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

-- Put messages of a key that have begun back among the others: it is not ordered any more.
local function level(s)
  for name in string.gmatch(s.queues, '%S+') do
    local ahead = redis.call('ZRANGEBYSCORE', queue_of(s.key, name), '-inf', '(0', 'WITHSCORES', 'LIMIT', 0, MOST_AHEAD)
    for i = 1, #ahead, 2 do
      redis.call('ZADD', queue_of(s.key, name), due_of(ahead[i + 1]), ahead[i])
    end
  end
end

-- Give a key limits: those that came with messages, those of the settings, and those that were pinned.
local function set_limits(s, given, default, pinned)
  s.given, s.default, s.pinned = given, default, pinned
  local text = merged(merged(default, given), pinned)
  local most, rate, period, ordered = string.match(text, '^(%d*),(%d*)/?(%d*),(%d?)$')
  if s.ordered and ordered ~= '1' then
    level(s)
  end
  s.most, s.rate, s.period, s.ordered = tonumber(most), tonumber(rate), tonumber(period), ordered == '1' and 1
  s.review = true
end

-- Return the field F of a message that is accepted now.  asked: "key given default", the limits that came with it and
-- those of the settings.
local function number_of(asked)
  local key, given, default = string.match(asked, '^(%S+) (%S+) (%S+)$')
  local s = state_of(key)
  if given ~= NO_LIMITS and given ~= s.given or default ~= s.default then
    given = merged(s.given, given)
    if given ~= s.given or default ~= s.default then
      set_limits(s, given, default, s.pinned)
    end
  end
  s.number = s.number + 1
  return digits_of(s.number) .. key
end

-- Let a dead letter keep the limits of its key, which may be gone when it is redriven.  hash: of the message.
local function keep_limits(hash, mark)
  local s = state_of(key_of(mark))
  if s.given ~= NO_LIMITS or s.default ~= NO_LIMITS then
    redis.call('HSET', hash, 'G', s.given .. ' ' .. s.default)
  end
end

-- Take limits that a dead letter has kept, where its key is gone.
local function restore_limits(mark, kept)
  local s = state_of(key_of(mark))
  if not s.exists and s.number == 0 then
    local given, default = string.match(kept, '^(%S+) (%S+)$')
    s.number = 1
    set_limits(s, given, default, s.pinned)
  end
end

-- Add a scheduled message to its key.  begun: it has been attempted, or waits for a destination that had no room.
local function join_key(id, mark, lane, priority, due_at, begun)
  local s = state_of(key_of(mark))
  local name = lane .. ':' .. (priority or 'normal')
  local at = tonumber(due_at)
  redis.call('ZADD', keyed_set(lane, priority), due_at, id)
  redis.call('ZADD', queue_of(s.key, name), s.ordered and begun and at - AHEAD or due_at, place_of(mark, id))
  if not string.find(' ' .. s.queues .. ' ', ' ' .. name .. ' ', 1, true) then
    s.queues = s.queues == '' and name or s.queues .. ' ' .. name
  end
  if not s.arrived[name] or at < s.arrived[name] then
    s.arrived[name] = at
  end
  s.review = s.review or s.ordered
  any = true
end

-- Take a scheduled message away from its key.
local function leave_key(id, mark, lane, priority)
  local s = state_of(key_of(mark))
  redis.call('ZREM', keyed_set(lane, priority), id)
  redis.call('ZREM', queue_of(s.key, lane .. ':' .. (priority or 'normal')), place_of(mark, id))
  s.review = true
end

-- Return whether one {place, score} comes before another one of the same key.
local function comes_first(head, other)
  local a, b = tonumber(head[2]), tonumber(other[2])
  return a < b or (a == b and number_in(head[1]) < number_in(other[1]))
end

-- Return the name of the queue in which the next message of an ordered key stands; nil when it has none.
local function first_queue(s)
  local first, first_name
  for name in string.gmatch(s.queues, '%S+') do
    local head = redis.call('ZRANGE', queue_of(s.key, name), 0, 0, 'WITHSCORES')
    if head[1] and (not first or comes_first(head, first)) then
      first, first_name = head, name
    end
  end
  return first_name
end

-- Store what this call has changed of a key.
local function save_key(s)
  local changed, gone = {}, {}
  for i, field in ipairs(FLOW_FIELDS) do
    local value = s[FLOW_NAMES[i]]
    if value ~= s.known[i] then
      s.known[i] = value
      local text = type(value) == 'number' and string.format('%.0f', value) or value or ''
      if text == '' or text == NO_LIMITS or (text == '0' and field ~= 's') then
        gone[#gone + 1] = field
      else
        changed[#changed + 1], changed[#changed + 2] = field, text
      end
    end
  end
  if #changed > 0 then
    redis.call('HSET', flow .. 'key:' .. s.key, unpack(changed))
  end
  if #gone > 0 then
    redis.call('HDEL', flow .. 'key:' .. s.key, unpack(gone))
  end
  if not s.exists then
    redis.call('ZADD', flow .. 'keys', 0, s.key)
    s.exists = true
  end
end
