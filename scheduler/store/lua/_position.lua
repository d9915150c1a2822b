-- Positions in a sorted set: by score, then by id.  They hold when members come, move and go.

-- By bytes, as Redis orders members: Lua's own < goes by the locale that the server was started under, where 'a' may
-- come before 'B'.
local function precedes(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

-- How many members lie before (score, id) in the set's own order: by score, then by id.
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
