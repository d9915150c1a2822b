--[[
migrate_keys: write flow keys of layout 2 (a hash each) as texts.
KEYS     flow msg
ARGV     after limit
         after: continue after this key, '' for the start
INCLUDES moves
RETURNS  the last key that was looked at; '' when none is left
CODES    none
COST     O(limit log N)
]]
local FIELDS = {'n', 'u', 'b', 'e', 's', 'z', 'm', 'd', 'x', 'q'}

local function whole(text)
  return string.format('%d', tonumber(text) or 0)
end

local first = after == '' and '-' or '(' .. after
local keys = redis.call('ZRANGEBYLEX', flow .. 'keys', first, '+', 'LIMIT', 0, limit)
for _, key in ipairs(keys) do
  local name = flow .. 'key:' .. key
  -- MGET answers nil for what is no text.
  if not redis.call('MGET', name)[1] then
    local m = redis.call('HMGET', name, unpack(FIELDS))
    local queues, count = m[10] or '', 0
    for queue in string.gmatch(queues, '%S+') do
      count = count + redis.call('ZCARD', flow .. 'queue:' .. key .. '/' .. queue)
    end
    local words = {whole(m[1]), whole(m[2]), whole(m[3]), whole(m[4]), whole(m[5]), whole(count), whole(m[6])}
    for i = 7, 9 do
      words[i + 1] = m[i] and m[i] ~= '' and m[i] or ',,'
    end
    words[11] = queues
    redis.call('SET', name, table.concat(words, ' '))
  end
end
return keys[#keys] or ''
