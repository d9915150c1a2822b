"""Redis itself: connections, sentinels, the meaning of its errors, and the private server with its files."""
