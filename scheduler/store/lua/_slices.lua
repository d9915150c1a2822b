-- Pass a list of any length to a command of a set, in slices.  Lua's unpack fails above about 8,000 values, and the script
-- would stop half-way.  SLICE is even, so that pairs stay together.
local SLICE = 4000

local function in_slices(command, set, list)
  for first = 1, #list, SLICE do
    redis.call(command, set, unpack(list, first, math.min(first + SLICE - 1, #list)))
  end
end
