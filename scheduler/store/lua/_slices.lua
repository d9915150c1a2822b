-- A write with a list of any length, in slices: Lua's unpack fails above about 8,000 values, when half of a verb is done.
-- An even number, so that pairs stay together.
local SLICE = 4000

local function in_slices(list, write)
  for first = 1, #list, SLICE do
    write(unpack(list, first, math.min(first + SLICE - 1, #list)))
  end
end
