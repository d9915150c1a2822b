-- The outbox: finished messages that the history does not have yet, by the moment of their finish.  A member is the id of
-- a message, and its hash is what will be archived.  A message that is redriven before that leaves a copy of its hash
-- in copy:<id>@<finish>, and <id>@<finish> becomes the member.
local MOST_DROPPED = 1000

local function outbox_is_full()
  return outbox_limit ~= '0' and (tonumber(redis.call('HGET', meta, 'outbox_bytes')) or 0) >= tonumber(outbox_limit)
end

-- Delete the oldest members beyond the limit of bytes, and count them.  Only copies are deleted: the other messages stay
-- where they are, and only their place in the history is lost.
local function drop_from_outbox(bytes)
  local dropped = 0
  while bytes > tonumber(outbox_limit) and dropped < MOST_DROPPED do
    local member = redis.call('ZPOPMIN', outbox)[1]
    if not member then
      break
    end
    local held_by = string.find(member, '@', 1, true) and copy .. member or msg .. member
    bytes = bytes - (tonumber(redis.call('HGET', held_by, 'z')) or 0)
    if held_by == copy .. member then
      redis.call('UNLINK', held_by)
    end
    dropped = dropped + 1
  end
  redis.call('HSET', meta, 'outbox_bytes', math.max(0, bytes))
  redis.call('HINCRBY', meta, 'outbox_dropped', dropped)
end

-- Add finished messages.  ids: {finish, id, finish, id, ...}; bytes: of all of them together.  Where settling waits for a
-- full outbox, nothing is dropped: what a call adds may exceed the limit once.
local function to_outbox(ids, bytes)
  if outbox_limit == '0' or #ids == 0 then
    return
  end
  in_slices('ZADD', outbox, ids)
  local total = redis.call('HINCRBY', meta, 'outbox_bytes', bytes)
  if total > tonumber(outbox_limit) and outbox_waits ~= '1' then
    drop_from_outbox(total)
  end
end
