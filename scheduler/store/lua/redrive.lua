--[[
redrive: schedule dead letters again, due now, with attempts reset and evidence kept.
KEYS     due lanes flow msg dead meta events outbox copy
ARGV     now wake_channel partition events_kept id offset scan limit channel dry_run
         id: redrive this message; '': skip the `offset` oldest dead letters, look at the next `scan`, and redrive up
         to `limit` of them; channel: '' for any; dry_run '1': count only
INCLUDES moves clock slices flow due wake events message finish parting
PARTS    lanes flow_keys
RETURNS  {code, status, snapshot} with an id; {redriven, scanned} without one
CODES    0 redriven; 1 no such message; 2 not dead (see status)
COST     O(scan + limit log N)
]]
local function redrive(one, m)
  local key = msg .. one
  local attempts = (tonumber(m[4]) or 0) + (tonumber(m[5]) or 0)
  local size = tonumber(m[6]) or 0
  copy_for_history(one)
  redis.call('HINCRBY', meta, 'dead_bytes', -size)
  -- The evidence stays: its bytes are the stored total without payload, target and error.
  local evidence = math.max(0, size - weight(key, redis.call('HSTRLEN', key, 'e')))
  redis.call('HSET', key, 'o', attempts, 'u', now_text, 'z', evidence)
  redis.call('HDEL', key, 's', 'a', 'l', 'd', 'f', 'g', 'k', 'b', 'm', 'G', 'W')
  redis.call('ZREM', dead, one)
  if m[11] then
    parts.flow_keys.restore_limits(m[10], m[11])
  end
  parts.lanes.enter(one, lane_of(m[3], m[8], m[9]), m[2], now_ms, m[10])
  event('redriven', one, m[3], 0)
end

local FIELDS = {'s', 'q', 'n', 'a', 'o', 'z', 'p', 'y', 'j', 'F', 'G'}
if id ~= '' then
  local m = redis.call('HMGET', msg .. id, unpack(FIELDS))
  if not m[7] then
    return {1, '', false}
  end
  if m[1] ~= 'dead' then
    return {2, m[1] or 'scheduled', false}
  end
  redrive(id, m)
  emit()
  wake()
  return {0, '', snapshot(id)}
end

local ids = redis.call('ZRANGE', dead, offset, tonumber(offset) + tonumber(scan) - 1)
local redriven = 0
local scanned = 0
for _, one in ipairs(ids) do
  if redriven == tonumber(limit) then
    break
  end
  scanned = scanned + 1
  local m = redis.call('HMGET', msg .. one, unpack(FIELDS))
  if m[1] == 'dead' and (channel == '' or (m[3] or 'echo') == channel) then
    if dry_run ~= '1' then
      redrive(one, m)
    end
    redriven = redriven + 1
  end
end
if redriven > 0 and dry_run ~= '1' then
  emit()
  wake()
end
return {redriven, scanned}
