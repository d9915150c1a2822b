-- A flow key as clients see it.
local function earlier(known, moment)
  return (not known or moment and moment < known) and moment or known
end

-- Return how many messages of a queue are due.  total: how many it has, where that is known: then the pieces are looked at
-- that lie on the shorter side of now.
local function due_in_queue(queue, total)
  local keys = parts.flow_keys
  local queues, begun_by = keys.queues, string.format('%.0f', now_ms - keys.AHEAD)
  local now_piece, last = queues.last_piece(queue, now_ms), queues.last_piece(queue, '+inf')
  if total and last - now_piece < now_piece then
    return total - queues.sum(queue, now_piece, last, 'ZCOUNT', '(' .. now_ms, '+inf')
      - queues.sum(queue, 0, queues.last_piece(queue, 0), 'ZCOUNT', '(' .. begun_by, '(0')
  end
  return queues.sum(queue, 0, now_piece, 'ZCOUNT', 0, now_ms) + queues.sum(queue, 0, now_piece, 'ZCOUNT', '-inf', begun_by)
end

-- Return the row of a key: key, in_flight, used, window_ends_at, paused, given, default, pinned, scheduled, waiting,
-- oldest_due_at, next_at; '' for none.
local function row_of(s)
  local keys = parts.flow_keys
  local at = keys.opens_at(s)
  local waiting, oldest, following = 0, nil, nil
  local total = not string.find(s.queues, ' ', 1, true) and s.count
  for name in string.gmatch(s.queues, '%S+') do
    local _, score = keys.first_of(s.key, name)
    if score then
      local due_at = keys.due_of(score)
      waiting = waiting + due_in_queue(keys.queue_of(s.key, name), total)
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
