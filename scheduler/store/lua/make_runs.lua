--[[
make_runs: store messages of a schedule beside its plan: a run that was asked for, or moments of the past.
KEYS     due lanes flow msg idem events sched
ARGV     now wake_channel partition events_kept schedule revision origin priority key fingerprint key_ttl items...
         revision: as it was read; priority: '' for that of the schedule; key: Idempotency-Key or ''; key_ttl: ms
         items, 1 each: id of a message, due now
INCLUDES clock slices flow due wake events
PARTS    lanes flow_keys runs
RETURNS  {code, now_ms, detail}
CODES    0 done; detail: how many were stored, those that existed left out
         1 the schedule differs from what was read
         2 the key was used with the same fingerprint; detail: the id of the message that was made then
         3 the key was used with another fingerprint
COST     O(n log N) for n messages
]]
if key ~= '' then
  local used = redis.call('GET', idem .. key)
  if used then
    local mark = string.find(used, ' ', 1, true)
    local same = string.sub(used, 1, mark - 1) == fingerprint
    return {same and 2 or 3, now_ms, string.sub(used, mark + 1)}
  end
end
local s = redis.call('HMGET', sched .. schedule, 'c', 'u', 'gen')
local current, generation = parts.runs.revisions_of(s[1], s[2], s[3])
if current ~= revision then
  return {1, now_ms, ''}
end
local made = 0
for at = items, #ARGV do
  if parts.runs.make(schedule, generation, ARGV[at], now_text, origin, priority ~= '' and priority) then
    made = made + 1
  end
end
if made > 0 then
  redis.call('HINCRBY', sched .. schedule, '#made', made)
end
if key ~= '' then
  redis.call('SET', idem .. key, fingerprint .. ' ' .. ARGV[items], 'PX', key_ttl)
end
emit()
wake()
return {0, now_ms, made}
