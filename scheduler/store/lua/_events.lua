-- Events for live views.  A call appends one stream entry with a line per message: "event id channel attempt"; the line
-- of a retry ends with the delay in ms.  An entry has at most 100 lines, so that a bound on entries bounds the bytes.
local happened = {}

local function event(name, id, channel, attempt, again_in_ms)
  happened[#happened + 1] = name .. ' ' .. id .. ' ' .. (channel or 'echo') .. ' ' .. (attempt or 0)
    .. (again_in_ms and ' ' .. again_in_ms or '')
end

local function emit()
  if tonumber(events_kept) > 0 then
    for first = 1, #happened, 100 do
      local last = math.min(first + 99, #happened)
      redis.call('XADD', events, 'MAXLEN', '~', events_kept, '*',
        'at', now_text, 'e', table.concat(happened, '\n', first, last))
    end
  end
end
