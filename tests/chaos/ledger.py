"""What happened, written outside of Redis: files that are only ever appended to, one JSON object per line.

``accepted.jsonl`` is written by the producers, ``webhook.jsonl`` by the receiving endpoint, ``job.jsonl`` by the job
handler inside the servers, ``echo.jsonl`` from the servers' standard output, ``faults.jsonl`` by the driver.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

JOB_LEDGER = "CHAOS_JOB_LEDGER"
"""The environment variable that tells job handlers where to write."""


OF_KEY = "@"
"""In a label, before the flow key."""


def seconds_of_work(label: str) -> float:
    """How long this message keeps a handler or the endpoint busy: mostly some 100 ms, now and then longer than a lock
    lives, so that there is always work in flight for a fault to hit.  One with a flow key mostly takes less: others
    wait for it.
    """
    share = crc32(label.encode()) % 1000 / 1000
    if OF_KEY in label:
        return 3.0 if share > 0.98 else share * 0.3
    return 3.0 if share > 0.97 else share * 1.5


def now_ms() -> float:
    """ms since the epoch by the machine's own clock, which is Redis's clock too, whatever ``time.time`` says here: in
    a server whose clock is stepped it says something else.
    """
    return time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e6


@dataclass(frozen=True)
class Accepted:
    """A message that the API said it has."""

    label: str
    """The message's text: unique, and what is delivered."""
    id: str
    channel: str
    not_before_ms: float
    """It may not be delivered before, by the sender's own reckoning: the ``time`` that was sent, or the moment of the
    first request plus ``delay``.
    """
    max_attempts: int
    doomed: bool
    """Sent to where every attempt fails: it must end as a dead letter."""
    delay_ms: float = 0.0
    """The ``delay`` that was sent: it counts from when Redis has the message, not from the request."""
    flow: str = ""
    """Its flow key; empty: none."""
    flaky: bool = False
    """Sent to where the first attempt fails."""


@dataclass(frozen=True)
class Delivery:
    """Something arrived outside: a line was printed, a request came, a handler ran."""

    label: str
    at_ms: float
    channel: str
    attempt: int | None
    """None: the console does not show it."""
    good: bool
    """The other side was content: 2xx within the time limit, the handler returned.  Else it is a failed attempt."""
    server: str = ""
    ended_ms: float | None = None
    """When the other side was done with it: just before it answered, or when it saw that the sender had gone.  For a
    job not before then.  None: not written down.
    """


@dataclass(frozen=True)
class Fault:
    """One thing that was broken, and mended."""

    kind: str
    target: str
    """The server (``s0`` …) that it hit; empty: all of them."""
    began_ms: float
    ended_ms: float
    counted_from_ms: float
    """Recovery is counted from here: the end of an outage, the beginning when others can take over at once."""
    whole_ms: float
    """All is as before again.  Later than the end where Redis servers have to follow a new primary."""


class Ledger:
    """Appends to one file, a line with each call: safe from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def add(self, entry: Accepted | Delivery | Fault | dict[str, Any]) -> None:
        found = entry if isinstance(entry, dict) else asdict(entry)
        os.write(self._file, json.dumps(found).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> list[dict[str, Any]]:
    """Every entry of a ledger; none when nobody wrote."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]
