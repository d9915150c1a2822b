-- When the circuit breaker of a destination opens and closes by itself.

-- A breaker opens after failures that lasted for this long.  At 1,000 attempts a second, 20 failures in a row are the
-- restart of a server, and a window of a second says nothing.
local PATIENCE_MS = 10000
-- A rate says something from this many attempts on, in multiples of most_failures.
local ENOUGH = 5

local most = tonumber(most_failures)

local function count_attempts(d, good, bad, after)
  if good > 0 then
    d.r, d.f = after, after > 0 and now_ms or nil
  elseif bad > 0 then
    d.r, d.f = (d.r or 0) + bad, d.f or now_ms
  end
  if not d.w or now_ms - d.w >= tonumber(window_ms) then
    d.w, d.a, d.b = now_ms, 0, 0
  end
  d.a, d.b = d.a + good + bad, d.b + bad
end

local function must_open(d)
  if most == 0 then
    return false
  end
  local in_a_row = d.r and d.r >= most and now_ms - d.f >= PATIENCE_MS
  local mostly = d.a >= ENOUGH * most and d.b >= tonumber(failure_rate) * d.a and now_ms - d.w >= PATIENCE_MS
  return in_a_row or mostly
end

local function open_breaker(d)
  d.s, d.o, d.i, d.n, d.c, d.t = 'open', now_ms, tonumber(probe_ms), now_ms + tonumber(probe_ms), nil, nil
  destination_event('opened', d.id)
  return 'opened'
end

-- Return what changes when a probe of an open destination has ended.
local function probed(d, result)
  if result == 'good' then
    close_destination(d)
    return 'closed'
  end
  d.p = nil
  if result == 'bad' then
    d.i = math.min(2 * d.i, tonumber(max_probe_ms))
    d.n = now_ms + d.i
  end
  return ''
end
