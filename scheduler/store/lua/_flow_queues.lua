-- The queues of flow keys, in pieces.
--
-- Redis keeps a sorted set of up to 128 members as one text, in which a place takes 35 bytes, and a larger one as a tree,
-- in which it takes 83.  So a queue has pieces of at most MOST places.  The first piece is flow:queue:<key>/<name>.  It is
-- not empty while there are others: what asks for the next messages reads it alone.  The others begin at a bound: a score
-- and a place, "place score" in flow:bounds:<key>/<name>.  A queue of an earlier version is one piece of any size.

local function make_queues()
  local MOST = 128
  local HALF = MOST / 2

  local function bounds_of(queue)
    return flow .. 'bounds:' .. queue
  end

  local function first_piece(queue)
    return flow .. 'queue:' .. queue
  end

  local function piece_at(queue, bound)
    return bound and flow .. 'piece:' .. queue .. '/' .. bound or first_piece(queue)
  end

  local function is_before(score, place, other_score, other)
    if score ~= other_score then
      return score < other_score
    end
    return precedes(place, other)
  end

  -- Return the bound of the piece in which a place belongs, false for the first piece; and whether it is the last piece.
  local function bound_for(queue, score, place)
    local bounds, bound = bounds_of(queue), false
    local count = redis.call('ZCARD', bounds)
    local from, to = 0, count
    -- Most messages come at the end.
    local at = count - 1
    while from < to do
      local found = redis.call('ZRANGE', bounds, at, at, 'WITHSCORES')
      if is_before(score, place, tonumber(found[2]), string.match(found[1], '^%S+')) then
        to = at
      else
        from, bound = at + 1, found[1]
      end
      at = math.floor((from + to) / 2)
    end
    return bound, from == count
  end

  -- Begin a piece with {score, place, ...}, at most MOST of them, in their order.
  local function begin_piece(queue, piece)
    local bound = string.format('%s %.0f', piece[2], piece[1])
    redis.call('ZADD', piece_at(queue, bound), unpack(piece))
    redis.call('ZADD', bounds_of(queue), piece[1], bound)
  end

  -- Move the later half of a piece into a new one behind it.
  local function split(queue, piece)
    local later = redis.call('ZRANGE', piece, -HALF, -1, 'WITHSCORES')
    -- Members and scores change places.
    for i = 1, #later, 2 do
      redis.call('ZREM', piece, later[i])
      later[i], later[i + 1] = later[i + 1], later[i]
    end
    begin_piece(queue, later)
  end

  -- Add a place to a queue; return 1, or 0 when it stood there already.  count: places of all queues of the key.
  local function add(queue, score, place, count)
    local at = tonumber(score)
    local bound, is_last = bound_for(queue, at, place)
    local piece = piece_at(queue, bound)
    -- Before there is one place too many: Redis leaves a set in the larger form, however small it becomes.
    if count >= MOST and redis.call('ZCARD', piece) >= MOST then
      local last = redis.call('ZRANGE', piece, -1, -1, 'WITHSCORES')
      if is_last and is_before(tonumber(last[2]), last[1], at, place) then
        -- Messages that come in the order of their moments leave full pieces.
        begin_piece(queue, {score, place})
        return 1
      end
      split(queue, piece)
      bound = bound_for(queue, at, place)
      piece = piece_at(queue, bound)
    end
    return redis.call('ZADD', piece, score, place)
  end

  -- Let the second piece be the first when that is empty; return whether there was one.
  local function refill(queue)
    local first = first_piece(queue)
    if redis.call('EXISTS', first) == 1 then
      return false
    end
    local bound = redis.call('ZPOPMIN', bounds_of(queue))[1]
    while bound do
      -- A piece that was deleted by hand must not stop the script after its first write.
      if redis.call('EXISTS', piece_at(queue, bound)) == 1 then
        redis.call('RENAME', piece_at(queue, bound), first)
        return true
      end
      bound = redis.call('ZPOPMIN', bounds_of(queue))[1]
    end
    return false
  end

  -- Take a place away from a queue; return 1, or 0 when it was not there.
  local function remove(queue, score, place)
    local bound = bound_for(queue, score, place)
    local piece = piece_at(queue, bound)
    local removed = redis.call('ZREM', piece, place)
    if removed == 1 and redis.call('EXISTS', piece) == 0 then
      if bound then
        redis.call('ZREM', bounds_of(queue), bound)
      else
        refill(queue)
      end
    end
    return removed
  end

  -- Return the sum of what a command says of the pieces of a queue, from number `first` to `last`; the first one is 0.
  local function sum(queue, first, last, command, ...)
    local total = first == 0 and redis.call(command, first_piece(queue), ...) or 0
    if last > 0 then
      for _, bound in ipairs(redis.call('ZRANGE', bounds_of(queue), math.max(first - 1, 0), last - 1)) do
        total = total + redis.call(command, piece_at(queue, bound), ...)
      end
    end
    return total
  end

  -- Return the number of the last piece that begins at a score or before.
  local function last_piece(queue, score)
    return redis.call('ZCOUNT', bounds_of(queue), '-inf', score)
  end

  return {
    first_piece = first_piece, add = add, remove = remove, refill = refill, sum = sum, last_piece = last_piece,
  }
end
