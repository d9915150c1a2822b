--[[
attempted: count the attempts at destinations, and open or close their circuit breakers.
KEYS     dest dests events
ARGV     now events_kept most_failures failure_rate window_ms probe_ms max_probe_ms items...
         most_failures: in a row, 0: no breaker opens by itself; failure_rate: 0 to 1, of the attempts of a window
         probe_ms, max_probe_ms: time to the first probe, doubled after each that fails, up to the second
         items, 7 each: id good bad after hold_ms probe error
         good, bad: attempts that ended so; after: those of bad that came after the last good one
         hold_ms: the destination asks for a pause of N ms; probe: how a probe ended (good | bad | none), '' without one;
         none: it was given back unsent
INCLUDES clock events destination breaker
RETURNS  {{change, id, ...}, ...}; change: opened | closed | ''; then the fields in the order of _destination.lua
CODES    none
COST     O(n log N) for n destinations
]]
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
    change = open_breaker(d)
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
