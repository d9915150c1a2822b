-- Flow keys: limits that all messages with the same key share.
--
-- The field `F` of a message is its number at the key (base 64, in the order of acceptance), a slash and the key.  Where
-- the slash is missing, because an earlier version accepted the message, the number has LENGTH digits.
-- While such a message is scheduled it stands in two sets: in flow:due:<lane>:<priority> by due_at, for lists and
-- counts, and in the queue of its key, one for each lane and priority, as number and id.  A claim reads neither.  It
-- reads the turns: a key stands in flow:turns:<lane>:<priority> at the moment from which it may go, and a key that may
-- not go has no turn, however many messages wait there.

-- Digits of a number in a queue.
local LENGTH = 5

-- The keys of messages that are not in flight any more, and when they were claimed; false: they were attempted.
local freed, given_back = {}, {}
-- whether any flow key exists; read once for a call
local any

local function any_keys()
  if any == nil then
    any = redis.call('EXISTS', flow .. 'keys') == 1
  end
  return any
end

local function key_of(mark)
  return string.sub(mark, (string.find(mark, '/', 1, true) or LENGTH) + 1)
end

local function turns_of(name)
  return flow .. 'turns:' .. name
end

-- The scheduled messages with a flow key of a lane and priority.
local function keyed_set(lane, priority)
  return flow .. 'due:' .. lane .. ':' .. (priority or 'normal')
end

-- Note a message that is not in flight any more.  claimed_at: ms, of one that was given back and not attempted.
local function slot_freed(mark, claimed_at)
  local n = #freed + 1
  freed[n], given_back[n] = key_of(mark), claimed_at or false
end

-- What a call needs only for messages with a flow key.  It is made when the first of them comes: Lua makes the functions
-- of a script anew for each call, and those of flow keys would cost every call 15 µs.
local make_flow_keys, make_turns
local made

local function flow_keys()
  if not made then
    made = make_flow_keys()
    make_turns(made)
  end
  return made
end
