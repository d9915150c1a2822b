--[[
probe: let one message go to an open destination, if it is time for that.
KEYS     dest dests events
ARGV     now events_kept id lease_ms
         lease_ms: for how long no other probe may begin, unless this one is reported
INCLUDES clock events destination
RETURNS  {1 or 0, {id, ...}}; 1: it may go; the fields in the order of _destination.lua
CODES    none
COST     O(log N)
]]
local d = destination(id)
local may_go = d.s == 'open' and d.n <= now_ms and (d.p or 0) <= now_ms
if may_go then
  d.p = now_ms + tonumber(lease_ms)
  save_destination(d)
  destination_event('half_open', id)
  emit()
end
return {may_go and 1 or 0, destination_row(d)}
