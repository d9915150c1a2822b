--[[
archived: take messages out of the outbox that the history has now.
KEYS     outbox copy msg meta
ARGV     owner items...
         owner: gives up its lease when the outbox is empty; items, 2 each: member finish
INCLUDES moves
RETURNS  how many were taken out; one that finished again meanwhile stays
CODES    none
COST     O(n log N) for n messages
]]
local taken, freed = 0, 0
for at = items, #ARGV, 2 do
  local member = ARGV[at]
  local finish = redis.call('ZSCORE', outbox, member)
  if finish and tonumber(finish) == tonumber(ARGV[at + 1]) then
    local is_copy = string.find(member, '@', 1, true)
    local key = (is_copy and copy or msg) .. member
    freed = freed + (tonumber(redis.call('HGET', key, 'z')) or 0)
    redis.call('ZREM', outbox, member)
    if is_copy then
      redis.call('UNLINK', key)
    end
    taken = taken + 1
  end
end
if redis.call('EXISTS', outbox) == 0 then
  -- An empty outbox has no bytes: this ends any drift of the counter.
  redis.call('HDEL', meta, 'outbox_bytes')
  if string.match(redis.call('HGET', meta, 'archiver') or '', '^(.*) %d+$') == owner then
    redis.call('HDEL', meta, 'archiver')
  end
elseif freed > 0 then
  redis.call('HINCRBY', meta, 'outbox_bytes', -freed)
end
return taken
