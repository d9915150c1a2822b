--[[
outbox: read the oldest finished messages that the history does not have yet, under a lease.
KEYS     outbox copy msg meta
ARGV     now owner lease_ms limit max_bytes
         limit: messages at most, 0: only the figures, without a lease; max_bytes: stop after the message that reaches it
INCLUDES moves clock
RETURNS  {leased, count, bytes, dropped, oldest, {member, finish, field, value, ...}, ...}
         leased 0: another archiver has the lease; oldest: finish (ms) of the first member, '' for none
         member: <id>, or <id>@<finish> for a copy; without fields: its hash is gone
CODES    none
COST     O(limit)
]]
local first = redis.call('ZRANGE', outbox, 0, 0, 'WITHSCORES')
local figures = redis.call('HMGET', meta, 'outbox_bytes', 'outbox_dropped', 'archiver')
local reply = {
  0, redis.call('ZCARD', outbox), tonumber(figures[1]) or 0, tonumber(figures[2]) or 0, first[2] or '',
}
if limit == '0' or not first[1] then
  return reply
end
-- The lease only saves double work: what two archivers write of one finish is the same row.
local holder, expiry = string.match(figures[3] or '', '^(.*) (%d+)$')
if holder and holder ~= owner and tonumber(expiry) > now_ms then
  return reply
end
redis.call('HSET', meta, 'archiver', owner .. ' ' .. string.format('%.0f', now_ms + tonumber(lease_ms)))
reply[1] = 1
local bytes = 0
local members = redis.call('ZRANGE', outbox, 0, tonumber(limit) - 1, 'WITHSCORES')
for i = 1, #members, 2 do
  local member = members[i]
  local fields = redis.call('HGETALL', (string.find(member, '@', 1, true) and copy or msg) .. member)
  reply[#reply + 1] = {member, members[i + 1], fields}
  for f = 1, #fields, 2 do
    bytes = bytes + #fields[f + 1]
  end
  if bytes >= tonumber(max_bytes) then
    break
  end
end
return reply
