--[[
beat: a process reports that it is alive.
KEYS     servers history
ARGV     now process snapshot slots
INCLUDES clock
         snapshot: JSON; slots: JSON of its last 15 minutes, '' when it has not changed since the last beat
RETURNS  now_ms
CODES    none
COST     O(1)
]]
local at = string.format('%.0f', now_ms)
-- Removed first: a script that begins so may write at `maxmemory`, and a server that delivers must not look dead.
redis.call('HDEL', servers, process)
redis.call('HSET', servers, process, at .. ' ' .. snapshot)
if slots ~= '' then
  redis.call('HSET', history, process, at .. ' ' .. slots)
end
return now_ms
