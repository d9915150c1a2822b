--[[
schedule: accept messages, all or none.
KEYS     due lanes flow msg idem events
ARGV     now wake_channel partition events_kept redriven_from key fingerprint key_ttl items...
         redriven_from: the message of the history that these repeat; '' for none
         key: Idempotency-Key or ''; key_ttl: ms
         items, 12 each: id payload due_at channel priority target type owner retry lane flow trace; '' for a field not
         given
         due_at: ms, or "+" and the ms from now
         lane: only when it differs from the one that channel and type imply
         flow: "key given default", the limits as "concurrency,rate/period,ordered"; trace: the field `T`
INCLUDES clock slices flow due moment wake events accept
PARTS    lanes flow_keys
RETURNS  {code, now_ms, detail}
CODES    0 stored
         1 an id exists, or is given twice; detail: its position, counted from 1
         2 the key was used with the same fingerprint; detail: "id due_at ..." of the messages stored then
         3 the key was used with another fingerprint
COST     O(n log N) for n messages
]]
local STRIDE = 12
local source = redriven_from ~= '' and {'H', redriven_from} or nil

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
local named = {}
for at = items, #ARGV, STRIDE do
  if seen[ARGV[at]] or redis.call('EXISTS', msg .. ARGV[at]) == 1 then
    return {1, now_ms, (at - items) / STRIDE + 1}
  end
  seen[ARGV[at]] = true
  if (ARGV[at + 10] or '') ~= '' then
    named[#named + 1] = string.match(ARGV[at + 10], '^%S+')
  end
end
if named[1] then
  parts.flow_keys.read_states(named)
end

local stored = {}
for at = items, #ARGV, STRIDE do
  local id = ARGV[at]
  local due_at = moment_of(ARGV[at + 2])
  accept(id, due_at, ARGV[at + 1], ARGV, at + 3, source)
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
