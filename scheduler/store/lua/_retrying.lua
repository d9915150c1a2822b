-- How many scheduled messages have an attempt behind them.  No set holds just those, and a set of their own would cost
-- each of them 100 bytes: every move into and out of the due sets counts instead.
local function count_retrying(by)
  if by ~= 0 then
    redis.call('HINCRBY', meta, 'retrying', by)
  end
end
