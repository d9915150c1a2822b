"""``python -m tests.stress.flow_keys``: a million flow keys at once, each with a message that may go and one that
waits, every tenth with a rate too.

They are listed by the API, claimed and settled as a server does; then no key may be left.  Exit code 1 when a key was
not listed, a message not delivered once, or a key not deleted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from scheduler.clock import SystemClock
from scheduler.flow import Flow, FlowLimits, Rate
from scheduler.message import IdGenerator, NewMessage, Outcome
from scheduler.store import MessageStore
from tests.support.api import Api
from tests.support.page import write_section
from tests.support.redis_server import RedisServer
from tests.support.store import store_on, take

MILLION = 1_000_000
BATCH = 500
ONE = FlowLimits(1)
RATED = FlowLimits(1, Rate(1, 1000))
"""The message that waits may go when the window has ended, and the key stays until the next one has."""
LOCK_MS = 600_000
LIMIT = 100
"""Messages of a claim, as a server asks for."""
SAMPLE = 20_000


@dataclass
class Result:
    keys: int
    """In each the same: two messages."""
    bytes_each: float = 0.0
    """Of Redis's memory, of a key with two messages that wait, more than the two take without a key."""
    fill_per_second: float = 0.0
    """Messages."""
    pages: int = 0
    page_ms: tuple[float, float] = (0.0, 0.0)
    """The first ten pages of 500 keys and the last ten, the middle one of each."""
    claims: int = 0
    claim_ms: tuple[float, float] = (0.0, 0.0)
    """The first hundred claims and the last hundred that brought as many as they may, the middle one of each."""
    deliver_per_second: float = 0.0
    problems: list[str] = field(default_factory=list)

    def table(self) -> str:
        rows = {
            "flow keys": f"{self.keys:,}, each with a message that may go and one that waits",
            "memory of a key, beside its messages": f"{self.bytes_each:.0f} bytes",
            "accepted": f"{self.fill_per_second:,.0f} messages/s",
            f"page of `GET /v1/flows?limit={BATCH}`": f"{_times(self.page_ms)} ({self.pages:,} pages)",
            f"claim of {LIMIT}": _times(self.claim_ms),
            "claimed and settled by one server": f"{self.deliver_per_second:,.0f} messages/s",
            "**not listed, not delivered once, not deleted**": f"**{len(self.problems)}**",
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _times(ms: tuple[float, float]) -> str:
    return f"{ms[0]:.1f} ms at the beginning, {ms[1]:.1f} ms at the end"


def run(folder: Path, keys: int, say: Callable[[str], object] = lambda _: None) -> Result:
    """``folder``: empty, with a short path."""
    result = Result(keys)
    with RedisServer(folder) as server, server.client() as client:
        store = store_on(client)
        store.open()
        plain = _fill(store, min(keys, SAMPLE), keyed=False) / min(keys, SAMPLE)
        # At once, and not beside what is measured then.
        client.execute_command("FLUSHALL", "SYNC")
        store.open()
        begun = time.monotonic()
        result.bytes_each = _fill(store, keys, keyed=True) / keys - plain
        result.fill_per_second = 2 * keys / (time.monotonic() - begun)
        say(f"{keys:,} keys, {result.bytes_each:.0f} bytes each")
        _list(store, result)
        say(f"{result.pages:,} pages")
        _deliver(store, result)
        result.problems += [f"{key} is left" for key in client.scan_iter("*:flow:*", count=10_000)]
    return result


def _fill(store: MessageStore, keys: int, *, keyed: bool) -> int:
    """Return the bytes that two messages for each key take."""
    before = int(store.client.info("memory")["used_memory"])
    new_id = IdGenerator(SystemClock().now_ms)
    for first in range(0, keys, BATCH):
        batch = []
        for n in range(first, min(first + BATCH, keys)):
            flow = Flow(name_of(n), RATED if n % 10 == 0 else ONE) if keyed else None
            batch += [NewMessage(new_id(), f'"{n}"', 1, flow=flow) for _ in range(2)]
        store.schedule(batch)
    return int(store.client.info("memory")["used_memory"]) - before


def name_of(n: int) -> str:
    return f"tenant-{n:07}"


def _pages(api: Api) -> Iterator[tuple[float, list[str]]]:
    cursor: str | None = ""
    while cursor is not None:
        begun = time.monotonic()
        page = api.get(f"/v1/flows?limit={BATCH}{cursor and f'&cursor={cursor}'}").json
        yield (time.monotonic() - begun) * 1000, [flow["key"] for flow in page["flows"]]
        cursor = page["next_cursor"]


def _list(store: MessageStore, result: Result) -> None:
    times, listed = [], []
    for ms, names in _pages(Api(SystemClock(), store=store)):
        times.append(ms)
        listed += names
    if listed != [name_of(n) for n in range(result.keys)]:
        result.problems.append(f"{len(listed):,} keys are listed, or not in order")
    result.pages = len(times)
    result.page_ms = (median(times[:10]), median(times[-10:]))


def _deliver(store: MessageStore, result: Result) -> None:
    """What one server does, until nothing waits and nothing is to come back for."""
    delivered = bytearray(result.keys)
    times: list[float] = []
    pause = 0.0
    begun = time.monotonic()
    while True:
        asked = time.monotonic()
        claimed = take(store, LIMIT, LOCK_MS, lanes=("echo",))
        result.claims += 1
        if len(claimed.claims) == LIMIT:
            times.append((time.monotonic() - asked) * 1000)
        for claim in claimed.claims:
            delivered[int(claim.payload.strip('"'))] += 1
        settled = store.settle([Outcome(claim, "ack") for claim in claimed.claims])
        if not all(settled):
            result.problems.append(f"{settled.count(False)} locks were lost")
        if not claimed.claims:
            if claimed.wait_ms is None:
                break
            pause += claimed.wait_ms / 1000
            time.sleep(claimed.wait_ms / 1000)
    seconds = time.monotonic() - begun - pause
    result.deliver_per_second = 2 * result.keys / seconds
    result.claim_ms = (median(times[:100]), median(times[-100:]))
    result.problems += [f"{name_of(n)}: {times} messages" for n, times in enumerate(delivered) if times != 2]


def main() -> int:
    """Run, print, write the page."""
    parser = argparse.ArgumentParser(prog="tests.stress.flow_keys", description=__doc__)
    parser.add_argument("--keys", type=int, default=MILLION, help="a million take 2 GB")
    parser.add_argument(
        "--no-page", action="store_true", help="leave docs/reliability.md as it is, as every other number does"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder:
        result = run(Path(folder), options.keys, say)
    say(result.table())
    say("\n".join(result.problems[:20]))
    if options.keys == MILLION and not options.no_page:
        write_section("soak KEYS=1000000", result.table())
    return 1 if result.problems else 0


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
