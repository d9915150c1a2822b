"""The front: answers what accepts messages in an event loop, and hands every other request to Flask in threads."""
