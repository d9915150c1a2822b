"""``bench``: a short load on a running service, and how late it delivers."""

from __future__ import annotations

import threading
from typing import Annotated, Any, Final

import typer

from scheduler.cli import options as o
from scheduler.cli.command import on_service
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.histogram import drawn, summary
from scheduler.cli.output import Answer
from scheduler.cli.remote import Remote, path_of
from scheduler.clock import SystemClock

_BATCH: Final = 1000
_PATIENCE_SECONDS: Final = 30.0
"""How long after its moment a message may take before it counts as not delivered."""
_READERS: Final = 4


@on_service
def bench(
    remote: Remote,
    *,
    count: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="Messages.")] = 1000,
    rate: Annotated[float, typer.Option(metavar="N", min=1, max=10_000, help="Messages due per second.")] = 200,
    webhook: Annotated[str | None, typer.Option(metavar="URL", help="Send them to this HTTP endpoint.")] = None,
    job: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Give them to the Python handler of this type.")
    ] = None,
) -> Answer:
    """Send messages that are due one after the other, and show how late they were delivered, as a histogram.

    They go to the server's console, or to a --webhook or --job of yours, and stay readable like all others.
    """
    clock = SystemClock()
    target = o.given(webhook=webhook and {"url": webhook}, job=job and {"type": job})
    # Nothing may be due before it is accepted: accepting takes a part of this time.
    ahead_ms = 1000 + count // 2
    first = round(_redis_ms(remote)) + ahead_ms
    began = clock.monotonic()
    ids: list[str] = []
    for start in range(0, count, _BATCH):
        part = [
            {"message": f"bench {number}", "time": round(first + number * 1000 / rate), **target}
            for number in range(start, min(start + _BATCH, count))
        ]
        ids += [each["id"] for each in remote.call("POST", "/v1/messages/batch", {"messages": part})["messages"]]
    took = clock.monotonic() - began
    if took * 1000 > ahead_ms:
        raise Failure(Exit.FAILED, f"Accepting took {took:.1f} s, longer than planned: the figures would say nothing.")
    threading.Event().wait(ahead_ms / 1000 - took + count / rate)
    return _judged(_outcomes(remote, ids), count, took)


def _redis_ms(remote: Remote) -> float:
    """Return the time by the clock that decides what is due."""
    from datetime import datetime

    return datetime.fromisoformat(remote.call("GET", "/v1/stats")["redis_time"]).timestamp() * 1000


def _outcomes(remote: Remote, ids: list[str]) -> list[dict[str, Any]]:
    """Return the messages once they have ended, or as they are when that takes too long."""
    from concurrent.futures import ThreadPoolExecutor

    clock = SystemClock()
    deadline = clock.monotonic() + _PATIENCE_SECONDS

    def ended(id: str) -> dict[str, Any]:
        while True:
            found: dict[str, Any] = remote.call("GET", path_of("messages", id))
            if found["status"] not in ("scheduled", "processing") or clock.monotonic() > deadline:
                return found
            threading.Event().wait(0.1)

    with ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(ended, ids))


def _judged(messages: list[dict[str, Any]], count: int, took: float) -> Answer:
    lateness = [message["attempts"][0]["lateness_ms"] for message in messages if message["attempts"]]
    lateness = [value for value in lateness if value is not None]
    delivered = sum(message["status"] == "delivered" for message in messages)
    if not lateness:
        raise Failure(Exit.FAILED, f"Of {count} messages none was attempted: see message-scheduler doctor.")
    figures = {"messages": count, "delivered": delivered, "accepted_per_s": round(count / took), **summary(lateness)}

    def picture() -> str:
        head = f"{delivered} of {count} delivered, accepted at {figures['accepted_per_s']:,}/s. How late:"
        tail = ", ".join(f"{name} {figures[name]:.1f} ms" for name in ("p50", "p90", "p99", "max"))
        return f"{head}\n\n{drawn(figures['histogram'])}\n\n{tail}"

    return Answer(figures, picture)
