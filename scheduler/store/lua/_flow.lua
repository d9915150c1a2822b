-- Flow keys: limits that all messages with the same key share.
--
-- The field `F` of a message is its number at the key (base 64, in the order of acceptance), a slash and the key.  Where
-- the slash is missing, because an earlier version accepted the message, the number has LENGTH digits.
-- While such a message is scheduled it stands in two sets: in flow:due:<lane>:<priority> by due_at, for lists and
-- counts, and in the queue of its key, one for each lane and priority, as number and id.  A claim reads neither.  It
-- reads the turns: a key stands in flow:turns:<lane>:<priority> at the moment from which it may go, and a key that may
-- not go has no turn, however many messages wait there.

-- whether any flow key exists; read once for a call
local any

local function any_keys()
  if any == nil then
    any = redis.call('EXISTS', flow .. 'keys') == 1
  end
  return any
end

local function turns_of(name)
  return flow .. 'turns:' .. name
end

-- The scheduled messages with a flow key of a lane and priority.
local function keyed_set(lane, priority)
  return flow .. 'due:' .. lane .. ':' .. (priority or 'normal')
end
