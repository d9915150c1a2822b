--[[
page: list the messages of one set that pass the filters, from a position on.
KEYS     set msg
ARGV     reverse low high after_score after_id scan limit status channel priority type_ owner typed schedule flow_key fields...
         reverse '1': from the highest score down; low, high: bounds of the score
         after_score, after_id: continue after this position, '' for the start; scan: look at N members at most
         typed '1': only messages with a type; schedule, flow_key: only messages with it, '' for any
         fields: what to return of each
INCLUDES bytes position
RETURNS  {more, last_score, last_id, {id, score, value, ...}, ...}
         more 1: the set goes on after last_score, last_id
CODES    none
COST     O(log² N + scan)
]]
-- The position is found by bisection: 100,000 messages of the same millisecond do not make a page slow, and a message
-- that moved away since the last page does not make it skip others.
-- Characters of the number in front of the flow key in a field F without a slash (_flow_keys.lua).
local FLOW_NUMBER = 5
local down = reverse == '1'
local count = redis.call('ZCARD', set)
local first = redis.call('ZCOUNT', set, '-inf', '(' .. low)   -- rank of the first member within the bounds
local last = count - redis.call('ZCOUNT', set, '(' .. high, '+inf') - 1
if low == '-inf' then
  first = 0
end
if high == '+inf' then
  last = count - 1
end

if after_score ~= '' then
  if down then
    last = math.min(last, rank_of(after_score, after_id, false) - 1)
  else
    first = math.max(first, rank_of(after_score, after_id, true))
  end
end

local wanted = {'s', 'n', 'y', 'w', 'p', 'q', 'i', 'F'}
for i = fields, #ARGV do
  wanted[#wanted + 1] = ARGV[i]
end
local reply = {0, '', ''}
local looked, found = 0, 0
local total = last - first + 1
while looked < tonumber(scan) and looked < total and found < tonumber(limit) do
  local chunk = math.min(100, total - looked, tonumber(scan) - looked)
  local members
  if down then
    members = redis.call('ZREVRANGE', set, count - 1 - last + looked, count - 2 - last + looked + chunk, 'WITHSCORES')
  else
    members = redis.call('ZRANGE', set, first + looked, first + looked + chunk - 1, 'WITHSCORES')
  end
  for i = 1, #members, 2 do
    looked = looked + 1
    reply[2], reply[3] = members[i + 1], members[i]
    local m = redis.call('HMGET', msg .. members[i], unpack(wanted))
    -- A member without a payload is an id whose hash was deleted by hand.
    if m[5] and (status == '' or (m[1] or 'scheduled') == status) and (channel == '' or (m[2] or 'echo') == channel)
      and (type_ == '' or m[3] == type_) and (typed == '' or m[3]) and (owner == '' or m[4] == owner)
      and (priority == '' or (m[6] or 'normal') == priority)
      and (schedule == '' or m[7] and string.match(members[i], '^(.*):') == schedule)
      and (flow_key == '' or m[8] and (string.match(m[8], '/(.*)$') or string.sub(m[8], FLOW_NUMBER + 1)) == flow_key) then
      found = found + 1
      local row = {members[i], members[i + 1]}
      for f = 9, #wanted do
        row[#row + 1] = m[f]
      end
      reply[#reply + 1] = row
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
