"""The history: what it costs a drain, how fast it is filled, a page of ten million rows, an export beside delivery."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from statistics import median
from typing import NamedTuple

from sqlalchemy import Engine, text

from bench.console import FileConsole, PipeConsole
from bench.delivery import PATIENCE, Lateness, check_each_once, drain, on_time
from bench.messages import mark_of
from bench.service import Service, folder
from bench.table import Figure, Row, check, percentile
from scheduler.history import Query, open_database
from scheduler.history.database import Database, every_page
from scheduler.history.sql.engine import engine_for
from tests.support import databases


class _Kind(NamedTuple):
    """One way to run the service."""

    name: str
    url: str
    """``History.Url``; empty for no history."""


class _Drains:
    """Drains of one kind, and how fast its archiver took what they left."""

    def __init__(self) -> None:
        self.per_second: list[float] = []
        self.archived: list[float] = []
        self.cpu = ""


def measure_drain(quick: bool) -> Row:
    """Drains without a history, with SQLite and with PostgreSQL, in turns; the middle one of each counts."""
    count, rounds = (2_000, 1) if quick else (50_000, 3)
    with folder() as path, databases.postgresql() as postgresql, ExitStack() as stack:
        kinds = [
            _Kind("without", "off"),
            _Kind("SQLite", f"sqlite:///{path}/history.db"),
            _Kind("PostgreSQL", postgresql),
        ]
        found = {kind.name: _Drains() for kind in kinds}
        running = {}
        for kind in kinds:
            console = stack.enter_context(closing(FileConsole(path / f"{kind.name}.txt")))
            service = Service(path / kind.name, console, role="worker", HISTORY__URL=kind.url)
            running[kind.name] = stack.enter_context(service), console
        for n in range(rounds):
            for kind in kinds:
                _drain_once(*running[kind.name], found[kind.name], count, n, kind)
        for kind in kinds:
            numbers = (mark_of(line).number for line in running[kind.name][1].texts())
            check_each_once(numbers, range(rounds * count))
    return _row_of_drains(found, count, rounds)


def _drain_once(service: Service, console: FileConsole, into: _Drains, count: int, n: int, kind: _Kind) -> None:
    done = drain(service, console, count, n * count, n * count)
    into.per_second.append(done.per_second)
    into.cpu = done.cpu
    if kind.url == "off":
        return
    left, began = service.store.outbox_figures().messages, time.perf_counter()
    deadline = began + PATIENCE
    while service.store.outbox_figures().messages:
        check(time.perf_counter() < deadline, f"not archived within {PATIENCE:g} s")
        time.sleep(0.01)
    into.archived.append(left / (time.perf_counter() - began))
    with closing(open_database(kind.url)) as database:
        kept = sum(len(rows) for rows in every_page(database, Query(), 10_000))
    check(kept == (n + 1) * count, f"{kind.name} has {kept:,} of {(n + 1) * count:,} messages")


def _row_of_drains(found: dict[str, _Drains], count: int, rounds: int) -> Row:
    rate = {name: median(drains.per_second) for name, drains in found.items()}
    share = {name: rate[name] / rate["without"] for name in ("SQLite", "PostgreSQL")}
    fast = {name: median(drains.archived) for name, drains in found.items() if drains.archived}
    return Row(
        ", ".join(f"{name} {rate[name]:,.0f}/s" for name in share),
        f"{rate['without']:,.0f}/s",
        share["SQLite"],
        ">= 0.85 of drain without",
        share["SQLite"] >= 0.85,
        f"{rounds} drains of {count:,} messages each, in turns, the middle one counts; PostgreSQL has "
        f"{share['PostgreSQL']:.2f} of drain without. The outbox is emptied meanwhile and after it: archive rate "
        f"{', '.join(f'{name} {n:,.0f} rows/s' for name, n in fast.items())}; then every message is in the database, "
        f"once. SQLite: {found['SQLite'].cpu}; without: {found['without'].cpu}.",
    )


PAGES = 200


def measure_page(quick: bool) -> Row:
    """Pages of 50 by status and time, at moments spread over all rows."""
    count = 20_000 if quick else 10_000_000
    with folder() as path:
        url = f"sqlite:///{path}/history.db"
        with closing(open_database(url)) as database:
            database.prepare()
            with closing_engine(url) as engine:
                fill(engine, count)
                size = (path / "history.db").stat().st_size
            took = {what: sorted(_times(database, query)) for what, query in _questions(count).items()}
    asked = percentile(took["status and time"], 0.99)
    return Row(
        f"p99 {asked:.2f} ms",
        "",
        None,
        "<= 50 ms",
        asked <= 50,
        f"{PAGES} pages of 50 each from {count:,} rows in SQLite ({size / 2**30:.2f} GiB), p50 and p99: "
        + ", ".join(f"{what} {percentile(t, 0.5):.2f} and {percentile(t, 0.99):.2f} ms" for what, t in took.items())
        + ".",
    )


def _questions(count: int) -> dict[str, Callable[[int], Query]]:
    """What is asked for page n."""

    def until(n: int) -> int:
        return FIRST_MS + (n + 1) * count * STEP_MS // PAGES

    return {
        "status and time": lambda n: Query(status="dead", until=until(n)),
        "time alone": lambda n: Query(until=until(n)),
        "channel, status and time": lambda n: Query(channel="webhook", status="delivered", until=until(n)),
        "one destination": lambda n: Query(destination=f"hooks{n}.example.com", until=until(n)),
    }


def _times(database: Database, question: Callable[[int], Query]) -> Iterator[float]:
    for n in range(PAGES):
        query = question(n * 37 % PAGES)
        began = time.perf_counter()
        database.page(query, 50)
        yield (time.perf_counter() - began) * 1000


FIRST_MS, STEP_MS = 1_700_000_000_000, 3

_VALUES = {
    "id": "printf('L1vGcV%010d', i)",
    "finished_at": f"{FIRST_MS} + i * {STEP_MS}",
    "status": "CASE WHEN i % 200 = 0 THEN 'dead' WHEN i % 50 = 0 THEN 'cancelled' ELSE 'delivered' END",
    "channel": "CASE WHEN i % 10 = 1 THEN 'webhook' ELSE 'echo' END",
    "destination": "CASE WHEN i % 10 = 1 THEN 'hooks' || (i / 10 % 1000) || '.example.com' END",
    "priority": "'normal'",
    "attempt": "1",
    "created_at": f"{FIRST_MS} + i * {STEP_MS} - 60000",
    "scheduled_for": f"{FIRST_MS} + i * {STEP_MS} - 2",
    "due_at": f"{FIRST_MS} + i * {STEP_MS} - 2",
    "started_at": f"{FIRST_MS} + i * {STEP_MS} - 1",
    "lateness_bucket": "i % 60 - 20",
    "payload": "'\"' || printf('%08d', i) || ' 1700000000000 xxxxxxxxxxxxxxxxxxxxxxxxxx\"'",
    "attempts": '\'[{"attempt":1,"started_at":1700000000000,"duration_ms":0.3,"lateness_ms":1.1,'
    '"outcome":"delivered"}]\'',
}


def fill(engine: Engine, count: int) -> None:
    """Make ``count`` rows inside SQLite: through the service they would take an hour."""
    with engine.begin() as connection:
        names = [str(row[1]) for row in connection.execute(text("PRAGMA table_info(history)"))]
        values = ", ".join(_VALUES.get(name, "NULL") for name in names)
        connection.exec_driver_sql(
            "INSERT INTO history WITH RECURSIVE n(i) AS "
            f"(SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1}) SELECT {values} FROM n"
        )


@contextmanager
def closing_engine(url: str) -> Iterator[Engine]:
    """The engine that the service uses."""
    engine = engine_for(url, 1)
    try:
        yield engine
    finally:
        engine.dispose()


EXPORT_PER_SECOND = 500
EXPORT_MEMORY = 100
"""MiB: the driver of the database in each API process, and some pages; a million rows would take 2,000."""


def measure_export(quick: bool) -> Row:
    """Lateness with and without an export, in turns; the last export is read to its end."""
    count, seconds, rounds = (2_000, 1.0, 1) if quick else (1_000_000, 5.0, 5)
    messages = round(EXPORT_PER_SECOND * seconds)
    with folder() as path, closing(PipeConsole()) as console:
        url = f"sqlite:///{path}/history.db"
        with closing(open_database(url)) as database:
            database.prepare()
        with closing_engine(url) as engine:
            fill(engine, count)
        alone, beside, rates = [], [], []
        with Service(path / "service", console, HISTORY__URL=url, HISTORY__MAXAGEDAYS="0") as service:
            before = _memory_of_api(service)
            for n in range(rounds):
                alone.append(on_time(service, console, EXPORT_PER_SECOND, seconds, 2 * n * messages))
                export = _Export(service.port)
                export.start()
                beside.append(on_time(service, console, EXPORT_PER_SECOND, seconds, (2 * n + 1) * messages))
                check(export.is_alive() or quick, "the export ended before the messages did")
                rates.append(export.rate())
                if n < rounds - 1:
                    export.stop()
            rest, began = export.rows, time.perf_counter()
            export.join()
            alone_rate = (export.rows - rest) / (time.perf_counter() - began)
            grown = _memory_of_api(service) - before
    check(export.rows >= count, f"{export.rows:,} of {count:,} rows were exported")
    check(grown < EXPORT_MEMORY, f"the API processes took {grown:.0f} MiB more after an export of {count:,} rows")
    ratio = median(found.p99 for found in beside) / median(found.p99 for found in alone)
    return Row(
        _middle(beside),
        _middle(alone),
        ratio,
        "p99 <= 1.1x of without",
        ratio <= 1.1,
        f"{EXPORT_PER_SECOND} messages a second, each due at its own millisecond, {rounds} times {seconds:g} s without "
        f"an export and as often beside one of {count:,} rows as CSV, in turns; medians. The export makes "
        f"{median(rates):,.0f} rows/s beside messages, and {alone_rate:,.0f} rows/s when they have ended. The API "
        f"processes took {before:.0f} MiB before and {grown:.0f} more after it.",
    )


def _middle(found: Sequence[Lateness]) -> str:
    return f"p50 {median(one.p50 for one in found):.2f}, p99 {median(one.p99 for one in found):.2f} ms"


def _memory_of_api(service: Service) -> float:
    """MiB"""
    return sum(process.memory_info().rss for process in service.processes()["api"]) / 2**20


class _Export(threading.Thread):
    """Reads the whole history as CSV."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._began = time.perf_counter()
        self._stopped = False
        self.rows = -1  # the head is no row

    def run(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)) as connection:
            connection.request("GET", "/v1/history", headers={"Accept": "text/csv"})
            answer = connection.getresponse()
            while not self._stopped and (chunk := answer.read1(2**20)):
                self.rows += chunk.count(b"\r\n")

    def rate(self) -> float:
        """Rows per second so far."""
        return max(self.rows, 0) / (time.perf_counter() - self._began)

    def stop(self) -> None:
        """Hang up."""
        self._stopped = True
        self.join()


FIGURES = (
    Figure("history-drain", measure_drain),
    Figure("history-page", measure_page),
    Figure("history-export", measure_export),
)
