--[[
trim: forget finished messages beyond the limits, oldest first.
KEYS     kept msg meta
ARGV     now counter max_count max_age_ms max_bytes limit
         kept: the done or the dead set; counter: done_bytes or dead_bytes
INCLUDES moves clock
RETURNS  how many were forgotten
CODES    none
COST     O(limit log N)
]]
local forgotten = 0
local count = redis.call('ZCARD', kept)
local bytes = tonumber(redis.call('HGET', meta, counter)) or 0

local function forget(n)
  local oldest = redis.call('ZPOPMIN', kept, n)
  for i = 1, #oldest, 2 do
    local key = msg .. oldest[i]
    bytes = bytes - (tonumber(redis.call('HGET', key, 'z')) or 0)
    redis.call('UNLINK', key)
  end
  forgotten = forgotten + #oldest / 2
  count = count - #oldest / 2
end

local old = redis.call('ZCOUNT', kept, '-inf', now_ms - tonumber(max_age_ms))
local excess = math.min(tonumber(limit), math.max(old, count - tonumber(max_count)))
if excess > 0 then
  forget(excess)
end
while bytes > tonumber(max_bytes) and count > 0 and forgotten < tonumber(limit) do
  forget(1)
end
if forgotten > 0 then
  -- An empty set has no bytes: whatever drift an interrupted history left behind ends here.
  redis.call('HSET', meta, counter, count > 0 and math.max(0, bytes) or 0)
end
return forgotten
