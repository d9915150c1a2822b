-- A flow key as clients see it.
local function earlier(known, moment)
  return (not known or moment and moment < known) and moment or known
end

-- Return the row of a key: key, in_flight, used, window_ends_at, paused, given, default, pinned, scheduled, waiting,
-- oldest_due_at, next_at; '' for none.
local function row_of(s)
  local keys = flow_keys()
  local at = keys.opens_at(s)
  local waiting, oldest, following = 0, nil, nil
  for name in string.gmatch(s.queues, '%S+') do
    local queue = keys.queue_of(s.key, name)
    local _, score = head_of(queue)
    if score then
      local due_at = keys.due_of(score)
      waiting = waiting + redis.call('ZCOUNT', queue, 0, now_ms) + redis.call('ZCOUNT', queue, '-inf', now_ms - keys.AHEAD)
      oldest = due_at <= now_ms and earlier(oldest, due_at) or oldest
      following = at and earlier(following, math.max(at, due_at)) or following
    end
  end
  local limits = s.limits
  local ends = limits.rate and s.used > 0 and now_ms < s.begun + limits.period and s.begun + limits.period
  return {
    s.key, s.flight, ends and s.used or 0, ends or '', s.paused == '0' and '' or s.paused, limits.given, limits.default,
    limits.pinned, s.count, waiting, oldest or '', following or '',
  }
end
