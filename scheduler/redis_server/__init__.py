"""Redis itself: connections to it, the sentinels, the private server and its file."""
