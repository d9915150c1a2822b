--[[
schedule: accept messages, all or none.
KEYS     due lanes msg idem events
ARGV     now wake_channel partition events_kept key fingerprint key_ttl items...
         key: Idempotency-Key or ''; key_ttl: ms
         items, 10 each: id payload due_at channel priority target type owner retry lane; '' for a field not given
         due_at: ms; 0 or less: -due_at ms from now
         lane: only when it differs from the one that channel and type imply
INCLUDES clock due events
RETURNS  {code, now_ms, detail}
CODES    0 stored
         1 an id exists, or is given twice; detail: its position, counted from 1
         2 the key was used with the same fingerprint; detail: "id due_at ..." of the messages stored then
         3 the key was used with another fingerprint
COST     O(n log N) for n messages
]]
local STRIDE = 10
-- {offset in an item, name of the field, value that is not stored because it is the default}
local OPTIONAL = {{3, 'n', 'echo'}, {4, 'q', 'normal'}, {5, 't', ''}, {6, 'y', ''}, {7, 'w', ''}, {8, 'r', ''}, {9, 'j', ''}}

if key ~= '' then
  local used = redis.call('GET', idem .. key)
  if used then
    local mark = string.find(used, ' ', 1, true)
    if string.sub(used, 1, mark - 1) == fingerprint then
      return {2, now_ms, string.sub(used, mark + 1)}
    end
    return {3, now_ms, ''}
  end
end

local seen = {}
for at = items, #ARGV, STRIDE do
  if seen[ARGV[at]] or redis.call('EXISTS', msg .. ARGV[at]) == 1 then
    return {1, now_ms, (at - items) / STRIDE + 1}
  end
  seen[ARGV[at]] = true
end

local stored = {}
for at = items, #ARGV, STRIDE do
  local id = ARGV[at]
  local due_at = moment_of(ARGV[at + 2])
  local hash = {'p', ARGV[at + 1], 'c', now_text}
  for _, option in ipairs(OPTIONAL) do
    local value = ARGV[at + option[1]]
    if value ~= '' and value ~= option[3] then
      hash[#hash + 1] = option[2]
      hash[#hash + 1] = value
    end
  end
  redis.call('HSET', msg .. id, unpack(hash))
  local type, lane = ARGV[at + 6], ARGV[at + 9]
  enter(id, lane_of(ARGV[at + 3], type, lane ~= '' and lane), ARGV[at + 4], due_at)
  event('scheduled', id, ARGV[at + 3], 0)
  if key ~= '' then
    stored[#stored + 1] = id .. ' ' .. due_at
  end
end
if key ~= '' then
  redis.call('SET', idem .. key, fingerprint .. ' ' .. table.concat(stored, ' '), 'PX', key_ttl)
end
emit()
wake()
return {0, now_ms, ''}
