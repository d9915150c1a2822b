"""The picture of a message."""

from __future__ import annotations

from typing import Any, Final

from scheduler.cli.output import facts, table

_KNOWN: Final = ("attempt", "started_at", "duration_ms", "lateness_ms", "outcome", "error")


def message_picture(message: dict[str, Any]) -> Any:
    """Return a message's fields, and below them its attempts."""
    from rich.console import Group

    attempts = message["attempts"]
    shown = facts((name, value) for name, value in message.items() if name not in ("due_at_ms", "attempts"))
    if not attempts:
        return shown
    rows = [[*(attempt.get(name) for name in _KNOWN[:-1]), _came_back(attempt)] for attempt in attempts]
    return Group(shown, "", table(["attempt", "started", "took ms", "late ms", "outcome", "what came back"], rows))


def _came_back(attempt: dict[str, Any]) -> Any:
    """Return the error, else whatever the channel has noted."""
    more = {name: value for name, value in attempt.items() if name not in _KNOWN}
    return attempt.get("error") or more or None
