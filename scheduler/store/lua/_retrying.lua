-- Count the scheduled messages that have been attempted before.  A set of them would cost 100 bytes per message, so
-- every script that moves such a message into or out of the due sets changes this counter instead.
local function count_retrying(by)
  if by ~= 0 then
    redis.call('HINCRBY', meta, 'retrying', by)
  end
end
