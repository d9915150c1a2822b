-- What a schedule's `overlap` does with a run that would begin before the one before it has ended.

local function under_way(id)
  local m = redis.call('HMGET', msg .. id, 'p', 'f')
  return m[1] and not m[2]
end

-- Return 'skip' or 'buffer'; 'first': the run begins, and is the one that later runs wait for; 'beside': it begins beside
-- others.  policy, busy, buffered: fields of the schedule; a policy of false is `allow`.
-- wanted: the run begins whatever the policy says, because it was begun before or a client asked for it.
local function by_overlap(policy, busy, buffered, id, wanted)
  if not policy then
    return 'beside'
  end
  if not (busy and busy ~= id and under_way(busy)) then
    return 'first'
  end
  if wanted then
    return 'beside'
  end
  return policy == 'buffer' and not buffered and 'buffer' or 'skip'
end
