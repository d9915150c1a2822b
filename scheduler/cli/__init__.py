"""The command line ``message-scheduler``: the service's start, and a client of a running one."""
