-- The message of the next moment, which stands in its lane ahead of time.

-- How late a schedule may be planned without counting as missed.  Beyond it no server was there, or all were paused, and
-- the rule for catching up decides.
local GRACE_MS = 5000

-- act_at: when the schedule was to be planned (ms, the score in `plans`); false when it is not planned.
local function is_late(act_at)
  return act_at and now_ms > tonumber(act_at) + GRACE_MS
end

-- Return the id of the message.  following: the next moment; tail: what makes the id fit the partition, or nil.
local function pending_of(sid, following, tail)
  return sid .. ':' .. following .. (tail or '')
end
