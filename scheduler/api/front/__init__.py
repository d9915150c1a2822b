"""The front: answers requests that accept messages in an event loop, and hands all others to Flask in threads."""
