-- Return the due_at (ms, as text) that a request asks for: a moment, or "+" and the ms from now.
local function moment_of(asked)
  local from_now = string.match(asked, '^%+(%d+)$')
  return from_now and string.format('%.0f', now_ms + from_now) or asked
end
