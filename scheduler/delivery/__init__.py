"""From what is due to what became of it: claiming, running, settling, renewing, reaping."""
