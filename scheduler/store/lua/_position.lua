-- A position in a sorted set is a score and an id.  It stays valid when members are added, moved or removed.

-- Return how many members come before (score, id); `inclusive` counts the member at that position too.
local function rank_of(score, id, inclusive)
  local from = redis.call('ZCOUNT', set, '-inf', '(' .. score)
  local to = from + redis.call('ZCOUNT', set, score, score)
  while from < to do
    local middle = math.floor((from + to) / 2)
    local member = redis.call('ZRANGE', set, middle, middle)[1]
    if precedes(member, id) or (inclusive and member == id) then
      from = middle + 1
    else
      to = middle
    end
  end
  return from
end
