--[[
reap: return messages whose lock expired to `scheduled`, or to `dead` when their attempts are used up.
KEYS     due lanes flow locks held msg dead meta events outbox copy sched plans runs failing
ARGV     now wake_channel partition events_kept outbox_limit outbox_waits limit max_attempts lost_limit not_after
         max_attempts: for messages without a policy of their own; -1: no limit
         lost_limit: a message without a limit of attempts becomes dead after N expired locks in a row; otherwise a
         message that crashes its server would crash one after another
         not_after: ms, '' for none: do nothing when it is later, because Redis stalled and the owners could not renew
INCLUDES moves clock slices flow due wake events finish outbox retrying
PARTS    lanes flow_keys runs
RETURNS  {to_scheduled, to_dead, overdue}
         overdue: 1 when a schedule should have been planned a second ago; otherwise 0
CODES    to_scheduled -1: it is later than not_after, and nothing was done
COST     O(limit log N)
]]
if not_after ~= '' and now_ms > tonumber(not_after) then
  return {-1, 0, 0}
end
local expired = redis.call('ZRANGEBYSCORE', locks, '-inf', lock_clock_ms, 'LIMIT', 0, limit)
local returned, killed = 0, 0
local given_up, bytes = {}, 0
for _, id in ipairs(expired) do
  local key = msg .. id
  local m = redis.call('HMGET', key, 'a', 'o', 'r', 'q', 'd', 'k', 'n', 'l', 'g', 'z', 'y', 'j', 'i', 'F')
  if m[1] then
    local attempt = tonumber(m[1])
    if m[14] then
      parts.flow_keys.slot_freed(m[14])
    end
    local lost = (tonumber(m[8]) or 0) + 1
    local allowed = tonumber(m[3] and string.match(m[3], '^[^,]+') or max_attempts)
    local error = 'the server that held it stopped answering (lock ' .. m[6] .. ' expired)'
    local evidence = string.format('{"attempt":%d,"started_at":%s,"outcome":"lost","error":"%s"}', attempt, m[9], error)
    local n = attempt + (tonumber(m[2]) or 0)
    local size = (tonumber(m[10]) or 0) + #evidence - drop_old_evidence(key, n)
    redis.call('HSET', key, 'h:' .. n, evidence, 'e', error, 'l', lost)
    if (allowed >= 0 and attempt >= allowed) or (allowed < 0 and lost >= tonumber(lost_limit)) then
      size = weight(key, size) + #error
      redis.call('HSET', key, 's', 'dead', 'f', now_ms, 'k', '', 'z', size)
      redis.call('ZREM', held, id)
      if m[14] then
        parts.flow_keys.keep_limits(key, m[14])
      end
      given_up[#given_up + 1], given_up[#given_up + 2] = now_ms, id
      bytes = bytes + size
      event('dead', id, m[7], attempt)
      if m[13] then
        parts.runs.ended(id, m[13], 'dead')
      end
      killed = killed + 1
    else
      local due_at = tonumber(m[5])
      redis.call('HSET', key, 'u', now_ms, 'z', size)
      redis.call('HDEL', key, 's', 'k', 'd')
      parts.lanes.enter(id, lane_of(m[7], m[11], m[12]), m[4], due_at, m[14], true)
      event('reaped', id, m[7], attempt)
      returned = returned + 1
    end
  end
end
if #expired > 0 then
  in_slices('ZREM', locks, expired)
  keep(dead, 'dead_bytes', given_up, bytes)
  to_outbox(given_up, bytes)
  count_retrying(returned)
  emit()
  wake()
end
-- A planner plans a moment within some ms.  One that does not has not heard of the schedule: a wake-up was lost.
local _, act_at = head_of(plans)
local overdue = act_at and now_ms > act_at + 1000 and not redis.call('HGET', meta, 'paused')
return {returned, killed, overdue and 1 or 0}
