--[[
page_schedules: list the schedules of one set that pass the filters, from a position on.
KEYS     set sched runs
ARGV     low high after_score after_id scan limit label last_runs
         low, high: bounds of the score; after_score, after_id: continue after this position, '' for the start; scan:
         look at N members at most; label: '' for any; last_runs: how many to return of each
INCLUDES bytes position
RETURNS  {more, last_score, last_id, {schedule, score, {field, value, ...}, {run, ...}}, ...}
         more 1: the set goes on after last_score, last_id
CODES    none
COST     O(log² N + scan)
]]
local first = after_score ~= '' and rank_of(after_score, after_id, true) or 0
if low ~= '-inf' then
  first = math.max(first, redis.call('ZCOUNT', set, '-inf', '(' .. low))
end
local total = redis.call('ZCOUNT', set, '-inf', high) - first
local wanted = '"' .. label .. '"'
local reply = {0, '', ''}
local looked, found = 0, 0
while looked < math.min(tonumber(scan), total) and found < tonumber(limit) do
  local chunk = math.min(100, total - looked, tonumber(scan) - looked)
  local members = redis.call('ZRANGE', set, first + looked, first + looked + chunk - 1, 'WITHSCORES')
  for i = 1, #members, 2 do
    looked = looked + 1
    reply[2], reply[3] = members[i + 1], members[i]
    local fields = redis.call('HGETALL', sched .. members[i])
    local labels = label ~= '' and redis.call('HGET', sched .. members[i], 'labels')
    if #fields > 0 and (label == '' or labels and string.find(labels, wanted, 1, true)) then
      found = found + 1
      local last = redis.call('LRANGE', runs .. members[i], 0, tonumber(last_runs) - 1)
      reply[#reply + 1] = {members[i], members[i + 1], fields, last}
    end
    if found == tonumber(limit) then
      break
    end
  end
end
if looked < total then
  reply[1] = 1
end
return reply
