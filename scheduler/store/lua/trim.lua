--[[
trim: delete finished messages beyond the limits of retention, oldest first.
KEYS     kept msg meta outbox
ARGV     now outbox_limit counter max_count max_age_ms max_bytes limit
         outbox_limit 0: there is no history; else what it does not have yet stays
         kept: the done or the dead set; counter: done_bytes or dead_bytes
INCLUDES moves clock
RETURNS  how many were deleted
CODES    none
COST     O(limit log N)
]]
local deleted = 0
local count = redis.call('ZCARD', kept)
local bytes = tonumber(redis.call('HGET', meta, counter)) or 0

local function delete_oldest(n)
  local oldest = redis.call('ZPOPMIN', kept, n)
  for i = 1, #oldest, 2 do
    local key = msg .. oldest[i]
    bytes = bytes - (tonumber(redis.call('HGET', key, 'z')) or 0)
    redis.call('UNLINK', key)
  end
  deleted = deleted + #oldest / 2
  count = count - #oldest / 2
end

-- What the history does not have yet stays, and with it all that ended since: both sets are ordered by the finish.
local most = math.min(tonumber(limit), count)
local unarchived = outbox_limit ~= '0' and redis.call('ZRANGE', outbox, 0, 0, 'WITHSCORES')[2]
if unarchived then
  most = math.min(most, redis.call('ZCOUNT', kept, '-inf', '(' .. unarchived))
end
local old = redis.call('ZCOUNT', kept, '-inf', now_ms - tonumber(max_age_ms))
local excess = math.min(most, math.max(old, count - tonumber(max_count)))
if excess > 0 then
  delete_oldest(excess)
end
while bytes > tonumber(max_bytes) and deleted < most do
  delete_oldest(1)
end
if deleted > 0 then
  -- An empty set has no bytes: this ends any drift of the counter, for instance after hashes were deleted by hand.
  redis.call('HSET', meta, counter, count > 0 and math.max(0, bytes) or 0)
end
return deleted
