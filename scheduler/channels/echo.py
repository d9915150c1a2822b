"""echo: the message is printed on the server's console."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from scheduler.channels.base import UNBOUNDED, Report
from scheduler.message import Claim, Outcome
from scheduler.when import format_ms


def text_of(payload: str) -> str:
    """What is printed of a payload: a JSON string as its text, anything else as JSON."""
    # Nine of ten payloads are strings without an escape; json.loads takes ten times as long as the cut.
    if payload[0] == '"':
        return payload[1:-1] if "\\" not in payload else str(json.loads(payload))
    return payload


class EchoChannel:
    """Prints."""

    name = "echo"
    capacity = UNBOUNDED
    max_slice = 100  # 10, 25, 50, 100 per worker: 6,600, 10,400, 15,400, 21,000 messages/s in one process (docs/why.md)

    def __init__(self, write: Callable[[Sequence[str]], None], now_ms: Callable[[], float]) -> None:
        """``write``: prints lines whole, raises when it cannot.  ``now_ms``: Redis's clock."""
        self._write = write
        self._now_ms = now_ms

    def start(self) -> None:
        """Nothing to start."""

    def deliver(self, claims: Sequence[Claim], report: Report) -> None:
        """Print a slice in one go.  A console that cannot be written to fails the attempt of each."""
        begun = self._now_ms()
        texts = [text_of(claim.payload) for claim in claims]
        stamp = format_ms(int(begun))
        self._write([f"{stamp} | {text}" for text in texts])
        took = self._now_ms() - begun
        report(
            [
                Outcome(claim, "ack", took, begun - claim.due_at, detail=text)
                for claim, text in zip(claims, texts, strict=True)
            ]
        )

    def stop(self, grace: float) -> None:
        """Nothing to stop."""
