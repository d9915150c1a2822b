-- Every script reads Redis's clock, so that servers whose own clocks differ agree.  Tests of scripts pass a time (`now`,
-- ms).  In service `now` is 0; below 0 it is how far tests moved the clock of a whole service (Test.Clock): -now ms.
local now_us
local moved_ms = 0
if tonumber(now) > 0 then
  now_us = tonumber(now) * 1000
else
  local time = redis.call('TIME')
  moved_ms = -tonumber(now)
  now_us = tonumber(time[1]) * 1000000 + tonumber(time[2]) + moved_ms * 1000
end
local now_ms = math.floor(now_us / 1000)
-- Formatted once: Redis would format the number again for every command it is passed to, about 1 µs each.
local now_text = string.format('%.0f', now_ms)
-- Locks expire by this one: otherwise a clock that is moved by a year takes every message from the server that is
-- delivering it, and it is delivered twice.
local lock_clock_ms = now_ms - moved_ms
