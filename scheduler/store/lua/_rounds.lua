-- Claim where there are flow keys: by rounds, in which keys take turns.
--
-- begin: the function that claims one message, given its id, its due_at and the state of its key, nil without one.

-- Rounds of keys in a call.  A key that may not go costs its turn, and the next call goes on.
local MOST_ROUNDS = 10
-- Messages that a key may take in its turn while there are more keys than room: what a turn costs is shared by them.
local TURN = 4
-- To the microsecond, so that a key whose turn is over stands behind those whose turn began in the same millisecond.
local turn_text = string.format('%.3f', now_us / 1000)

local function due_in(set, latest, most)
  return redis.call('ZRANGEBYSCORE', set, '-inf', latest, 'WITHSCORES', 'LIMIT', 0, most)
end

-- Claim the first messages of a key whose turn it is, at most `share`; add their ids to `gone`.  Return how many they are,
-- and whether more of them may go.
local function serve(key, lane, priority, share, gone, begin)
  local name = lane .. ':' .. priority
  local keys = parts.flow_keys
  local s = keys.state_of(key)
  local at = keys.opens_at(s)
  s.popped = s.popped or {}
  s.popped[name] = true
  if not at or at > now_ms or (s.limits.ordered and s.queues ~= name and keys.first_queue(s) ~= name) then
    s.review = true
    return 0, false
  end
  local queue = keys.queue_of(key, name)
  local piece = keys.queues.first_piece(queue)
  local n = math.min(share, keys.room_of(s))
  -- One more, to know whether it takes another turn.
  local heads = redis.call('ZRANGE', piece, 0, n, 'WITHSCORES')
  if #heads / 2 > s.count then
    keys.recount(s, name)
  end
  local places, moments, more = {}, {}, false
  for i = 1, #heads, 2 do
    local due_at = keys.due_of(heads[i + 1])
    more = due_at <= now_ms and #places == n
    if due_at > now_ms or more then
      break
    end
    -- The text of the score, unless the message is ahead of its moment in the queue.
    places[#places + 1] = heads[i]
    moments[#moments + 1] = s.limits.ordered and string.format('%.0f', due_at) or heads[i + 1]
  end
  in_slices('ZREM', piece, places)
  s.count = s.count - #places
  if 2 * #places == #heads and keys.queues.refill(queue) then
    local _, score = head_of(piece)
    more = keys.due_of(score) <= now_ms
  end
  for i, place in ipairs(places) do
    local id = keys.id_in(place)
    gone[#gone + 1] = id
    begin(id, moments[i], s)
  end
  more = more and keys.opens_at(s) == now_ms
  s.review = s.review or not more
  return #places, more
end

-- Claim up to `most` messages: TURN of each key whose turn it is, or equal shares when there is room for all keys, and the
-- messages without a key between them.  Return how many ids left their sets, and whether more keys have their turn.
local function round(lane, priority, most, begin)
  local set, turns = due_set(lane, priority), turns_of(lane .. ':' .. priority)
  local turn = math.max(1, math.min(TURN, math.floor(most / TURN)))
  local found, keys = due_in(set, now_text, most), due_in(turns, turn_text, math.ceil(most / turn))
  local names = {}
  for at = 1, #keys, 2 do
    names[#names + 1] = keys[at]
  end
  if names[1] then
    parts.flow_keys.read_states(names)
  end
  local share = math.max(turn, math.floor((most - #found / 2) / #names))
  local taken, served, again, gone, count = {}, {}, {}, {}, 0
  local i, k = 1, 1
  while count < most and (found[i] or keys[k]) do
    if keys[k] and (not found[i] or tonumber(keys[k + 1]) <= tonumber(found[i + 1])) then
      local n, more = serve(keys[k], lane, priority, math.min(share, most - count), gone, begin)
      served[#served + 1] = keys[k]
      if more then
        -- It takes its turn again behind all the others.
        again[#again + 1], again[#again + 2] = turn_text, keys[k]
      end
      k, count = k + 2, count + n
    else
      taken[#taken + 1] = found[i]
      begin(found[i], found[i + 1])
      i, count = i + 2, count + 1
    end
  end
  in_slices('ZREM', set, taken)
  in_slices('ZREM', turns, served)
  in_slices('ZREM', keyed_set(lane, priority), gone)
  in_slices('ZADD', turns, again)
  return count, #keys > 0
end

-- Claim up to `most` due messages of a lane and priority; return how many ids left their sets.
local function take(lane, priority, most, begin)
  local count = 0
  for _ = 1, MOST_ROUNDS do
    local n, more = round(lane, priority, most - count, begin)
    count = count + n
    if count == most or not more then
      break
    end
  end
  return count
end

return {take = take}
