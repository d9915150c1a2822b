-- Add scheduled messages to their lanes, and take them away.

local listed = {}

-- Name a lane among those that hold something.
local function list_lane(lane)
  if not listed[lane] then
    listed[lane] = true
    redis.call('ZADD', lanes, 0, lane)
  end
end

-- lane → {before = its earliest moment before this call, first = the earliest that this call added}
local entered = {}

-- Call this before a moment at which a lane has something to claim is added.
local function note(lane, moment)
  local seen = entered[lane]
  if not seen then
    seen = {before = earliest(lane)}
    entered[lane] = seen
    list_lane(lane)
  end
  if not seen.first or moment < seen.first then
    seen.first = moment
  end
end

-- Add a scheduled message to its lane, or to its flow key.  due_at: a number or its text; mark: the field F; begun: see
-- `join_key`.
local function enter(id, lane, priority, due_at, mark, begun)
  if mark then
    list_lane(lane)
    parts.flow_keys.join(id, mark, lane, priority, due_at, begun)
    return
  end
  note(lane, tonumber(due_at))
  redis.call('ZADD', due_set(lane, priority), due_at, id)
end

-- Take a scheduled message away from where it waits.
local function leave(id, lane, priority, mark)
  if mark then
    parts.flow_keys.leave(id, mark, lane, priority)
  else
    redis.call('ZREM', due_set(lane, priority), id)
  end
end

-- Return the earliest moment (ms) that this call added before all else in its lane; nil when there is none.
local function first_entered()
  local first
  for _, seen in pairs(entered) do
    if (not seen.before or seen.first < seen.before) and (not first or seen.first < first) then
      first = seen.first
    end
  end
  return first
end

return {note = note, enter = enter, leave = leave, first_entered = first_entered}
