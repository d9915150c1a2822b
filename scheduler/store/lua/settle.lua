--[[
settle: record the outcomes of claimed messages; an outcome with a stale token changes nothing.
KEYS     due lanes flow locks held msg dead done meta events outbox copy sched runs failing
ARGV     now wake_channel partition events_kept outbox_limit outbox_waits items...
         items, 8 each: id token kind delay_ms error evidence result texts
         kind: ack | retry | dead | release; error, evidence, result: '' for none
         delay_ms: retry and release: due again in N ms; '' (release only): due_at stays as it was
         outbox_limit: bytes of finished messages that wait for the history, 0: there is no history; outbox_waits '1':
         nothing is recorded while the outbox is full
INCLUDES moves clock slices flow due wake events finish outbox retrying
PARTS    lanes flow_keys runs
RETURNS  {1 or 0, ...} per item; 0: the lock was lost and nothing was changed
CODES    -1 (instead of the list): the outbox is full, and nothing was changed
COST     O(n log N) for n outcomes
]]
if outbox_waits == '1' and outbox_is_full() then
  return -1
end
local STRIDE = 8
local results = {}
local unlocked = {}
local retrying = 0
local put_off, let_go = {}, {}
local finished = {ack = {}, dead = {}}
local bytes = {ack = 0, dead = 0}
local NAMES = {ack = 'delivered', dead = 'dead'}

local function reschedule(id, m, due_at, begun)
  redis.call('HDEL', msg .. id, 's', 'k', 'd')
  parts.lanes.enter(id, lane_of(m[6], m[10], m[11]), m[2], due_at, m[13], begun)
end

for at = items, #ARGV, STRIDE do
  local id, token, kind, delay_ms = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local error, evidence, result, texts = ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7]
  local key = msg .. id
  local m = redis.call('HMGET', key, 'k', 'q', 'a', 'o', 'd', 'n', 'z', 'b', 'm', 'y', 'j', 'i', 'F')
  -- Finished messages hold an empty token; it matches no claim.
  if token == '' or m[1] ~= token then
    results[#results + 1] = 0
  else
    results[#results + 1] = 1
    unlocked[#unlocked + 1] = id
    local attempt = tonumber(m[3])
    if m[13] then
      parts.flow_keys.slot_freed(m[13], kind == 'release' and redis.call('HGET', key, 'g'))
    end
    if kind == 'release' then
      -- The message was not attempted, so the attempt is not charged.
      local due_at = tonumber(m[5])
      local hash = {'a', attempt - 1, 'u', now_text}
      if delay_ms ~= '' then
        due_at = now_ms + tonumber(delay_ms)
        -- Lateness and age count from due_at before the first delay; otherwise back-pressure would hide them.
        if not m[8] then
          hash[#hash + 1], hash[#hash + 2] = 'b', m[5]
          put_off[#put_off + 1], put_off[#put_off + 2] = m[5], id
        end
      end
      redis.call('HSET', key, unpack(hash))
      reschedule(id, m, due_at, attempt > 1 or m[8] or delay_ms ~= '')
      if attempt > 1 then
        retrying = retrying + 1
      end
      event('released', id, m[6], attempt)
    else
      if m[8] then
        let_go[#let_go + 1] = id
      end
      -- The stored text where it can be used: see claim.lua.
      local n = m[4] and attempt + tonumber(m[4]) or m[3]
      local kept = (tonumber(m[7]) or 0) + #evidence - drop_old_evidence(key, tonumber(n))
      local hash = {'h:' .. n, evidence, 'z', kept}
      if error ~= '' then
        hash[#hash + 1], hash[#hash + 2] = 'e', error
      end
      if result ~= '' then
        hash[#hash + 1], hash[#hash + 2] = 'x', result
      end
      if kind == 'retry' then
        hash[#hash + 1], hash[#hash + 2] = 'u', now_text
        if not m[9] then
          hash[#hash + 1], hash[#hash + 2] = 'm', m[8] or m[5]
        end
        redis.call('HSET', key, unpack(hash))
        -- A reported attempt resets the count of expired locks.  Without this, a message with unlimited attempts would
        -- become dead after five servers that crashed in the course of a year.
        redis.call('HDEL', key, 'l', 'b')
        reschedule(id, m, now_ms + tonumber(delay_ms), true)
        retrying = retrying + 1
        event('retried', id, m[6], attempt, delay_ms)
      else
        local size = OVERHEAD + tonumber(texts) + kept + #error + #result
        hash[4] = size
        -- The token is emptied and not deleted: one write less, and no claim can match it.
        redis.call('HSET', key, 's', NAMES[kind], 'f', now_text, 'k', '', unpack(hash))
        if m[13] and kind == 'dead' then
          parts.flow_keys.keep_limits(key, m[13])
        end
        local set = finished[kind]
        set[#set + 1], set[#set + 2] = now_text, id
        bytes[kind] = bytes[kind] + size
        event(NAMES[kind], id, m[6], m[3])
        if m[12] then
          parts.runs.ended(id, m[12], NAMES[kind])
        end
      end
    end
  end
end
if #unlocked > 0 then
  in_slices('ZREM', locks, unlocked)
  in_slices('ZADD', held, put_off)
  in_slices('ZREM', held, let_go)
  keep(done, 'done_bytes', finished.ack, bytes.ack)
  keep(dead, 'dead_bytes', finished.dead, bytes.dead)
  to_outbox(finished.ack, bytes.ack)
  to_outbox(finished.dead, bytes.dead)
  count_retrying(retrying)
  emit()
  wake()
end
return results
