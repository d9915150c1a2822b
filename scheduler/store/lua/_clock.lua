-- The clock of every verb is Redis's own, so that servers with wrong clocks agree.  Tests pass a time (ms) of their own.
local now_us
if tonumber(now) > 0 then
  now_us = tonumber(now) * 1000
else
  local time = redis.call('TIME')
  now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local now_ms = math.floor(now_us / 1000)
-- As text, made once: Redis turns every number that a script passes into text of its own, a microsecond each.
local now_text = string.format('%.0f', now_ms)
