"""Section Events: live events over WebSocket."""

from __future__ import annotations

from pydantic import field_validator

from scheduler.config.fields import ORIGIN, Section, commas, number, text, whole


class EventsSettings(Section):
    enabled: bool = True
    """Record what happens to messages in Redis, and show it to viewers (WebSocket). With false there are no events."""
    port: int = whole(3001, 0, 65_535)
    """TCP port of the live events, on the address of `Server.Host`; 0 takes any free one. Only a server that delivers
    has it."""
    kept: int = whole(2000, 100, 1_000_000)
    """Entries of each partition's event stream that Redis keeps, to go on from after a disconnect. One entry is one
    script call and holds up to 100 events; 2000 full ones take 7 MB."""
    ping_seconds: float = number(20.0, 1, 3600)
    """Time between two pings to a viewer; one that has not answered by the next is gone."""
    buffer_bytes: int = whole(2**20, 1024, 2**30)
    """Events that one viewer may be behind; a slower one is closed, with a reason, and can go on where it was."""
    max_viewers: int = whole(1000, 1, 100_000)
    """Viewers at the same time."""
    allowed_origins: str = text(
        "",
        rf"(?i)^({ORIGIN}(,{ORIGIN})*|\*)?$",
        "origins like https://ops.example.com:8443, several as a list or separated by commas; or * for every one",
    )
    """Pages that may watch, besides those of this service itself: the ones on the host name that the viewer calls, at
    `Server.Port` or at the port that it calls."""

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return commas(value)
