-- Wake the dispatchers when this call added something to claim before all else in its lane.  The messages are stored by
-- now, so a missing right to publish must not fail the script: the dispatchers find them at their next poll.
local function wake()
  if made or freed[1] then
    flow_keys().give_turns()
  end
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
