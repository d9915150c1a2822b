"""Live events: what happens to messages, as it happens, for whoever watches (docs/events.md)."""

from scheduler.events.server import EventServer

__all__ = ["EventServer"]
