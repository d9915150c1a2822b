-- Wake the dispatchers when this call added something to claim before all else in its lane.  The messages are stored by
-- now, so a missing right to publish must not fail the script: the dispatchers find them at their next poll.
local function wake()
  if rawget(parts, 'flow_keys') then
    parts.flow_keys.give_turns()
  end
  local first = rawget(parts, 'lanes') and parts.lanes.first_entered()
  if first then
    redis.pcall('PUBLISH', wake_channel, partition .. ' ' .. string.format('%.0f', first))
  end
end
