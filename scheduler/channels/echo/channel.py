"""echo: the message is printed on the server's console."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from scheduler.channels.base import LaneSpec, Report
from scheduler.message import Claim, Outcome
from scheduler.telemetry.lateness import lateness_ms
from scheduler.when import format_ms


def text_of(payload: str) -> str:
    """What is printed of a payload: a JSON string as its text, anything else as JSON."""
    # Nine of ten payloads are strings without an escape; json.loads takes ten times as long as the cut.
    if payload[0] == '"':
        return payload[1:-1] if "\\" not in payload else str(json.loads(payload))
    return payload


HANG_SECONDS = 10.0
"""A console that nobody has read for longer is a failure of this channel, which health shows."""
_SOONEST_MS = 1_000
_LATEST_MS = 30_000


class EchoChannel:
    """Prints."""

    name = "echo"
    slow = False

    def __init__(
        self,
        write: Callable[[Sequence[str]], int],
        now_ms: Callable[[], float],
        unread_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """``write``: prints lines whole and returns how many it could, raises when it cannot at all.  ``now_ms``:
        Redis's clock.  ``unread_seconds``: for how long nobody has read what is printed.
        """
        self._write = write
        self._now_ms = now_ms
        self._unread_seconds = unread_seconds

    @property
    def failure(self) -> str | None:
        """Why messages cannot be printed; None while they can."""
        seconds = self._unread_seconds()
        return f"nobody has read stdout for {seconds:.0f} s" if seconds > HANG_SECONDS else None

    def lanes(self) -> Sequence[LaneSpec]:
        """One."""
        return [LaneSpec(self.name)]

    def slice_size(self, lane: str) -> int:
        """10, 25, 50, 100 per worker: 6,600, 10,400, 15,400, 21,000 messages/s in one process (docs/why.md)."""
        return 100

    def start(self) -> None:
        """Nothing to start."""

    def deliver(self, claims: Sequence[Claim], report: Report) -> None:
        """Print a slice in one go.  A console that is gone fails the attempt of each.

        What nobody reads is given back, uncharged and for a while that grows: the worker is needed for other channels.
        """
        begun = self._now_ms()
        texts = [text_of(claim.payload) for claim in claims]
        stamp = format_ms(int(begun))
        printed = self._write([f"{stamp} | {text}" for text in texts])
        took = self._now_ms() - begun
        outcomes = [
            Outcome(claim, "ack", took, lateness_ms(claim, begun), detail=text)
            for claim, text in zip(claims[:printed], texts, strict=False)
        ]
        if printed < len(claims):
            delay_ms = min(_LATEST_MS, max(_SOONEST_MS, round(self._unread_seconds() * 1000)))
            outcomes += [
                Outcome(claim, "release", delay_ms=delay_ms, destination="stdout") for claim in claims[printed:]
            ]
        report(outcomes)

    def stop(self, grace: float) -> None:
        """Nothing to stop."""
