--[[
pause: nothing of this partition is claimed, or it is again.
KEYS     meta msg
ARGV     paused wake_channel partition
         paused: '1', or '' to go on
INCLUDES moves
RETURNS  1
CODES    none
COST     O(1)
]]
if paused == '' then
  redis.call('HDEL', meta, 'paused')
  -- No right to publish must not fail what is written: the dispatchers look again at their next poll.
  redis.pcall('PUBLISH', wake_channel, partition .. ' 0')
else
  redis.call('HSET', meta, 'paused', paused)
end
return 1
