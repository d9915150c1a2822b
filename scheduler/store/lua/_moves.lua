-- Redis at `maxmemory` refuses a script's first write if that command may take memory; once a script has written, its
-- later writes are allowed.  PERSIST takes no memory and changes nothing here (`msg` is a prefix, not a key that
-- exists).  With it as the first write, scripts that move or remove messages still run when Redis is full, and free
-- memory.  If Redis refuses writes for another reason, it does so here, before anything has changed.
redis.call('PERSIST', msg)
