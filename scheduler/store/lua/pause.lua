--[[
pause: stop or resume claiming in this partition.
KEYS     meta msg
ARGV     paused wake_channel partition
         paused: '1' to stop, '' to resume
INCLUDES moves
RETURNS  1
CODES    none
COST     O(1)
]]
if paused == '' then
  redis.call('HDEL', meta, 'paused')
  -- pcall: the change is stored by now, so a missing right to publish must not fail the script.  The dispatchers claim
  -- again at their next poll.
  redis.pcall('PUBLISH', wake_channel, partition .. ' 0 plan')
else
  redis.call('HSET', meta, 'paused', paused)
end
return 1
