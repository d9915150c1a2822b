-- Every script reads Redis's clock, so that servers whose own clocks differ agree.  Tests pass a time (`now`, ms).
local now_us
if tonumber(now) > 0 then
  now_us = tonumber(now) * 1000
else
  local time = redis.call('TIME')
  now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local now_ms = math.floor(now_us / 1000)
-- Formatted once: Redis would format the number again for every command it is passed to, about 1 µs each.
local now_text = string.format('%.0f', now_ms)
