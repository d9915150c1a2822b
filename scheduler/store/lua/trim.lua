--[[
trim: delete finished messages beyond the limits of retention, oldest first.
KEYS     kept msg meta outbox copy
ARGV     now counter max_count max_age_ms max_bytes limit
         kept: the done or the dead set; counter: done_bytes or dead_bytes
INCLUDES moves clock parting
RETURNS  how many were deleted
CODES    none
COST     O(limit log N)
]]
local deleted = 0
local some_unarchived = redis.call('EXISTS', outbox) == 1
local count = redis.call('ZCARD', kept)
local bytes = tonumber(redis.call('HGET', meta, counter)) or 0

local function delete_oldest(n)
  local oldest = redis.call('ZPOPMIN', kept, n)
  for i = 1, #oldest, 2 do
    local key = msg .. oldest[i]
    local size = tonumber(redis.call('HGET', key, 'z'))
    bytes = bytes - (size or 0)
    if not (some_unarchived and size and keep_for_history('RENAME', oldest[i])) then
      redis.call('UNLINK', key)
    end
  end
  deleted = deleted + #oldest / 2
  count = count - #oldest / 2
end

local old = redis.call('ZCOUNT', kept, '-inf', now_ms - tonumber(max_age_ms))
local excess = math.min(tonumber(limit), math.max(old, count - tonumber(max_count)))
if excess > 0 then
  delete_oldest(excess)
end
while bytes > tonumber(max_bytes) and count > 0 and deleted < tonumber(limit) do
  delete_oldest(1)
end
if deleted > 0 then
  -- An empty set has no bytes: this ends any drift of the counter, for instance after hashes were deleted by hand.
  redis.call('HSET', meta, counter, count > 0 and math.max(0, bytes) or 0)
end
return deleted
