-- Redis at `maxmemory` refuses a script's first write when it may take memory, and lets the rest of a script run that has
-- written before.  This first write takes none and changes nothing (no key of ours expires), so that what only moves or
-- removes messages goes on, and frees memory.  Whatever else makes Redis refuse to write does so here, before any change.
redis.call('PERSIST', msg)
