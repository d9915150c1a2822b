-- Return whether no message waits in a lane, and no key has a turn there.
local function is_empty(lane)
  local sets = {}
  for _, priority in ipairs(PRIORITIES) do
    sets[#sets + 1], sets[#sets + 2] = due_set(lane, priority), keyed_set(lane, priority)
    sets[#sets + 1] = turns_of(lane .. ':' .. priority)
  end
  return redis.call('EXISTS', unpack(sets)) == 0
end
