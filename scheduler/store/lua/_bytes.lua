-- Compare by bytes, as Redis orders members.  Lua's own < follows the locale of the Redis server, where 'a' may come
-- before 'B'.
local function precedes(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end
