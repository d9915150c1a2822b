"""``python -m tests.stress.soak --seconds 3600``: one server under steady load; nothing may grow.

Retention is so short that what is finished is forgotten while the run lasts, and the server's clock is set so that it
passes midnight in the middle of it: logs are rotated under load.  Exit code 1 when something grows.
"""

from __future__ import annotations

import argparse
import struct
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import psutil

from scheduler.redis_server.private import socket_path
from tests.chaos.ledger import Ledger
from tests.chaos.receiver import Receiver
from tests.support.page import write_section
from tests.support.service import ROOT, Service, is_redis, store_at

BLOCKS = 10
"""Samples are averaged in so many blocks: neighbours resemble each other, and a line through all of them would seem
more certain than it is.
"""
T_95 = 2.306
"""Student's t for 95 % and ``BLOCKS`` - 2 degrees of freedom."""
TOLERATED = 0.03
"""Growth over the judged half, in shares of the level, that does not count: buffers, caches, fragmentation."""
BATCH = 30
PAUSE_SECONDS = 0.5
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Trend:
    """A straight line through what was measured."""

    level: float
    """The mean."""
    per_hour: float
    margin: float
    """Half of the 95 % confidence interval of ``per_hour``."""
    hours: float
    """From the first to the last block."""

    @property
    def grows(self) -> bool:
        """True when the growth, at the very least, is more than ``TOLERATED``."""
        return (self.per_hour - self.margin) * self.hours > TOLERATED * self.level


def trend(samples: Sequence[tuple[float, float]]) -> Trend:
    """``samples``: (s, value), in order; at least ``BLOCKS`` of them."""
    size = len(samples) // BLOCKS
    blocks = [samples[n * size : (n + 1) * size] for n in range(BLOCKS)]
    xs = [fmean(at for at, _ in block) / 3600 for block in blocks]
    ys = [fmean(value for _, value in block) for block in blocks]
    x, y = fmean(xs), fmean(ys)
    spread = sum((a - x) ** 2 for a in xs)
    slope = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / spread
    rest = sum((b - y - slope * (a - x)) ** 2 for a, b in zip(xs, ys, strict=True))
    return Trend(y, slope, T_95 * (rest / (BLOCKS - 2) / spread) ** 0.5, xs[-1] - xs[0])


class Load:
    """``BATCH`` messages of all channels every ``PAUSE_SECONDS``, in a thread."""

    def __init__(self, service: Service, receiver: Receiver) -> None:
        self.sent = 0
        self._service = service
        self._receiver = receiver
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        kinds: tuple[Mapping[str, object], ...] = (
            {"channel": "echo"},
            {"webhook": {"url": self._receiver.url("/")}},
            {"job": {"type": "wait"}},
        )
        while not self._ended.wait(PAUSE_SECONDS):
            batch = [
                {"message": {"seconds": 0.01} if "job" in kind else f"m{self.sent + n}", "delay": 1, **kind}
                for n, kind in ((n, kinds[n % len(kinds)]) for n in range(BATCH))
            ]
            self.sent += len(self._service.schedule(batch))


def measure(service: Service, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """What of → (s since the start, value), sampled about 400 times."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    begun = time.monotonic()
    # Not asked for again: a process that ends meanwhile is a finding, and raises psutil.NoSuchProcess.
    processes = _by_name(service)
    with store_at(f"unix://{socket_path(service.data.absolute())}") as store:
        while (at := time.monotonic() - begun) < seconds:
            for name, process in processes.items():
                found[f"{name}: memory, MiB"].append((at, process.memory_info().rss / 2**20))
                found[f"{name}: descriptors"].append((at, process.num_fds()))
                found[f"{name}: threads"].append((at, process.num_threads()))
            memory: dict[str, int] = store.client.info("memory")
            found["redis: used_memory, MiB"].append((at, memory["used_memory"] / 2**20))
            found["redis: keys"].append((at, float(str(store.client.dbsize()))))
            time.sleep(max(0.05, seconds / 400))
    return found


def _by_name(service: Service) -> dict[str, psutil.Process]:
    found = {"scheduler": psutil.Process(service.pid)}
    for process in service.children():
        name = "redis" if is_redis(process) else "http"
        found[name if name not in found else f"{name} {len(found)}"] = process
    return found


def shift_to_midnight(file: Path, seconds: float) -> None:
    """Write the offset with which the server's clock passes midnight after so many seconds."""
    to_midnight = DAY_MS - time.time_ns() // 1_000_000 % DAY_MS
    file.write_bytes(struct.pack("q", round(to_midnight - seconds * 1000) * 1_000_000))


def run(folder: Path, seconds: float) -> tuple[dict[str, Trend], list[str], int]:
    """Trends of the second half, what is wrong besides, and how many messages were sent."""
    clock = folder / "clock"
    shift_to_midnight(clock, 10 + seconds / 2)
    environment = {
        "TZ": "UTC",
        "CHAOS_CLOCK": str(clock),
        "PYTHONPATH": str(ROOT / "tests/chaos/shift"),
        "WEBHOOK__ALLOWPRIVATENETWORKS": "true",
        "RETENTION__MAXCOUNT": "200",
        "EVENTS__KEPT": "200",
    }
    receiver = Receiver(Ledger(Path("/dev/null")))
    with Service(folder, env=environment) as service:
        with Load(service, receiver) as load:
            samples = measure(service, seconds)
        code = service.stop()
    problems = [f"the service ended with code {code}"] if code else []
    receiver.close()
    rotated = sorted(path.name for path in service.logs.glob("scheduler.*.zip"))
    if not rotated:
        problems.append(f"midnight passed, and no log was rotated: {sorted(p.name for p in service.logs.iterdir())}")
    errors = [line for line in service.stderr.texts() if " ERROR " in line]
    problems += errors[:10]
    halves = {name: [s for s in values if s[0] >= seconds / 2] for name, values in samples.items()}
    return {name: trend(values) for name, values in halves.items()}, problems, load.sent


def table(trends: Mapping[str, Trend], problems: Sequence[str], sent: int, seconds: float) -> str:
    """Markdown."""
    lines = [
        f"{sent} messages in {seconds:g} s, {datetime.now(UTC):%Y-%m-%d}; log rotated at midnight under load.",
        "",
        "| of | level | growth per hour, 95 % | |",
        "|---|---|---|---|",
    ]
    for name, found in trends.items():
        word = "**grows**" if found.grows else "flat"
        lines.append(f"| {name} | {found.level:.1f} | {found.per_hour:+.1f} ± {found.margin:.1f} | {word} |")
    return "\n".join([*lines, *(f"\nProblem: {problem}" for problem in problems)])


def main() -> int:
    """Run, print, write the page."""
    parser = argparse.ArgumentParser(prog="tests.stress.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--no-page", action="store_true", help="leave docs/reliability.md as it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder:
        trends, problems, sent = run(Path(folder), options.seconds)
    text = table(trends, problems, sent, options.seconds)
    sys.stdout.write(f"{text}\n")
    if not options.no_page:
        write_section("soak", text)
    return 1 if problems or any(found.grows for found in trends.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
