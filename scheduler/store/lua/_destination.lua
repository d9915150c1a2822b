-- What is known of a destination: one that has failed, asked for a pause, or was opened by hand.
-- A destination that works has no hash.
local DESTINATION = {'s', 'n', 'p', 'h', 'r', 'f', 'w', 'a', 'b', 'o', 'c', 'i', 'e', 't', 'u'}
local NUMBERS = {n = 1, p = 1, h = 1, r = 1, f = 1, w = 1, a = 1, b = 1, o = 1, c = 1, i = 1, u = 1}

-- A closed destination is deleted when no attempt at it was reported for this long.
local KEPT_MS = 3600000
-- An open one, for which there was no message to be the probe.  Endpoints that are given up would be listed for ever.
local KEPT_OPEN_MS = 7 * 86400000
-- Names that one call looks at.
local MOST_FORGOTTEN = 10

local function destination(id)
  local d = {id = id}
  for i, value in ipairs(redis.call('HMGET', dest .. id, unpack(DESTINATION))) do
    local field = DESTINATION[i]
    d[field] = value and (NUMBERS[field] and tonumber(value) or value) or nil
  end
  return d
end

-- Return a destination as the reply of a script: its id, then the fields in the order of DESTINATION, '' for none.
local function destination_row(d)
  local row = {d.id}
  for i, field in ipairs(DESTINATION) do
    local value = d[field]
    row[i + 1] = type(value) == 'number' and string.format('%.0f', value) or value or ''
  end
  return row
end

local function destination_event(name, id)
  event('destination_' .. name, id, 'destination', 0)
end

local function save_destination(d)
  redis.call('UNLINK', dest .. d.id)
  -- Not by expiry alone: attempts that go on would renew it for ever, each group of them by a call of its own.
  if not d.s and now_ms - (d.c or now_ms) >= KEPT_MS then
    d.c, d.t = nil, nil
  end
  if not d.s and not d.c and not d.t and (d.r or 0) == 0 and (d.b or 0) == 0 and (d.h or 0) <= now_ms then
    redis.call('ZREM', dests, d.id)
    d.u = nil
    return
  end
  d.u = now_ms
  local values = {}
  for _, field in ipairs(DESTINATION) do
    local value = d[field]
    if value then
      values[#values + 1] = field
      values[#values + 1] = type(value) == 'number' and string.format('%.0f', value) or value
    end
  end
  redis.call('HSET', dest .. d.id, unpack(values))
  if d.s ~= 'hand' then
    -- A pause that was asked for may be longer than an hour.
    redis.call('PEXPIRE', dest .. d.id, math.max(d.s and KEPT_OPEN_MS or KEPT_MS, (d.h or 0) - now_ms))
  end
  redis.call('ZADD', dests, now_text, d.id)
end

-- Take away the names of some that have been forgotten.  One that is still open goes to the end of the names, or the
-- oldest open ones would be looked at in every call, and no younger name ever.  Servers read it once more, unchanged.
local function forget_destinations()
  local oldest = redis.call('ZRANGEBYSCORE', dests, '-inf', now_ms - KEPT_MS, 'LIMIT', 0, MOST_FORGOTTEN)
  for _, id in ipairs(oldest) do
    if redis.call('EXISTS', dest .. id) == 0 then
      redis.call('ZREM', dests, id)
    else
      redis.call('ZADD', dests, now_text, id)
    end
  end
end

-- Begin anew: what was counted says nothing about the time from now on.
local function start_counting(d)
  d.r, d.f, d.w, d.a, d.b = nil, nil, nil, nil, nil
end

local function close_destination(d)
  start_counting(d)
  d.s, d.n, d.p, d.i, d.o = nil, nil, nil, nil, nil
  d.c = now_ms
  destination_event('closed', d.id)
end
