--[[
beat: record that a process is alive, with its figures.
KEYS     servers history
ARGV     now process snapshot slots
INCLUDES clock
         snapshot: JSON; slots: JSON of its last 15 minutes, '' when unchanged since the last beat
RETURNS  now_ms
CODES    none
COST     O(1)
]]
local at = string.format('%.0f', now_ms)
-- HDEL comes first because it takes no memory: a script that begins with it may write at `maxmemory`.  Otherwise a
-- server that still delivers would look dead while Redis is full.
redis.call('HDEL', servers, process)
redis.call('HSET', servers, process, at .. ' ' .. snapshot)
if slots ~= '' then
  redis.call('HSET', history, process, at .. ' ' .. slots)
end
return now_ms
