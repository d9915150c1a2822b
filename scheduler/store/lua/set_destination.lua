--[[
set_destination: read, open or close the circuit breaker of a destination by hand.
KEYS     dest dests events
ARGV     now events_kept id action note
         action: read | open | close; note: why, '' for none
INCLUDES clock events destination
RETURNS  {id, ...}, the fields in the order of _destination.lua; false: nothing is known of it (read, close)
CODES    none
COST     O(log N)
]]
local d = destination(id)
if not d.u and action ~= 'open' then
  return false
end
if action == 'open' then
  start_counting(d)
  d.s, d.o, d.n, d.p, d.i, d.c = 'hand', now_ms, nil, nil, nil, nil
  destination_event('opened', id)
elseif action == 'close' then
  d.h = nil
  close_destination(d)
end
if action ~= 'read' then
  d.t = note ~= '' and note or nil
  save_destination(d)
  emit()
end
return destination_row(d)
