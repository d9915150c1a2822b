--[[
attempted: count the attempts at destinations, and open or close their circuit breakers.
KEYS     dest dests events
ARGV     now events_kept most_failures failure_rate window_ms probe_ms max_probe_ms items...
         most_failures: in a row, 0: no breaker opens by itself; failure_rate: 0 to 1, of the attempts of a window
         probe_ms, max_probe_ms: time to the first probe, doubled after each that fails, up to the second
         items, 7 each: id good bad after hold_ms probe error
         good, bad: attempts that ended so; after: those of bad that came after the last good one
         hold_ms: the destination asks for a pause of N ms; probe: how a probe ended (good | bad), '' without one
INCLUDES clock events destination
RETURNS  {{change, id, ...}, ...}; change: opened | closed | ''; then the fields in the order of _destination.lua
CODES    none
COST     O(n log N) for n destinations
]]
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

-- Return what changes when a probe of an open destination has ended.
local function probed(d, result)
  if result == 'good' then
    close_destination(d)
    return 'closed'
  end
  d.p = nil
  d.i = math.min(2 * d.i, tonumber(max_probe_ms))
  d.n = now_ms + d.i
  return ''
end

local rows = {}
for at = items, #ARGV, 7 do
  local d = destination(ARGV[at])
  local bad, hold, probe = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 4]), ARGV[at + 5]
  local change = ''
  count_attempts(d, tonumber(ARGV[at + 1]), bad, tonumber(ARGV[at + 3]))
  if bad > 0 then
    d.e = ARGV[at + 6]
  end
  if d.s == 'open' and probe ~= '' then
    change = probed(d, probe)
  elseif not d.s and must_open(d) then
    d.s, d.o, d.i, d.n, d.c, d.t = 'open', now_ms, tonumber(probe_ms), now_ms + tonumber(probe_ms), nil, nil
    destination_event('opened', d.id)
    change = 'opened'
  end
  if hold > 0 then
    d.h = math.max(d.h or 0, now_ms + hold)
  end
  save_destination(d)
  local row = destination_row(d)
  table.insert(row, 1, change)
  rows[#rows + 1] = row
end
forget_destinations()
emit()
return rows
