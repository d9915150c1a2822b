-- Store a message.  Its optional fields stand in a list in the order of OPTIONAL, as in the items of schedule.lua; the
-- default value of a field, '' and false are not stored.
local OPTIONAL = {'n', 'q', 't', 'y', 'w', 'r', 'j', 'F', 'T'}
local DEFAULTS = {n = 'echo', q = 'normal'}

-- Store one message and add it to its lane.  due_at: ms; list[at], list[at + 1], …: its optional fields; more: further
-- {field, value, ...} of the hash, or nil.
local function accept(id, due_at, payload, list, at, more)
  local hash = {'p', payload, 'c', now_text}
  local mark
  for i, field in ipairs(OPTIONAL) do
    local value = list[at + i - 1]
    if value and value ~= '' and value ~= DEFAULTS[field] then
      if field == 'F' then
        value = parts.flow_keys.number_of(value)
        mark = value
      end
      hash[#hash + 1] = field
      hash[#hash + 1] = value
    end
  end
  for _, part in ipairs(more or {}) do
    hash[#hash + 1] = part
  end
  redis.call('HSET', msg .. id, unpack(hash))
  local channel, priority, lane = list[at], list[at + 1], list[at + 6]
  parts.lanes.enter(id, lane_of(channel, list[at + 3], lane and lane ~= '' and lane), priority, due_at, mark)
  event('scheduled', id, channel, 0)
end
