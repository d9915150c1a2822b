"""Ingest: how fast the API accepts messages, one by one and a thousand at a time."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import trivial
from bench.console import FileConsole, PipeConsole
from bench.delivery import Lateness, on_time
from bench.load import Load, Plan, Running
from bench.messages import BATCH, FAR_MS, SIZE, clock, fill_far
from bench.service import Service, cpu_seconds, folder, in_words, private_redis
from bench.table import Figure, Row, check

CONNECTIONS = 32
BATCH_CONNECTIONS = 4
TURNS = 5
"""What is compared is loaded in turns of a second or two: what else the machine does changes within seconds."""
SHARE = 0.42
"""5,000/s on a machine whose trivial route answers 11,855/s."""


class Route(NamedTuple):
    """What is sent, and where."""

    path: str
    body: str
    headers: str = ""
    method: str = "POST"
    messages: int = 1
    """How many a request stores."""


ECHO = json.dumps({"time": clock.now_ms() + FAR_MS, "message": "x" * SIZE})
WEBHOOK = json.dumps(
    {
        "message": "x" * SIZE,
        "delay": FAR_MS / 1000,
        "webhook": {"url": "https://hooks.example.com/in", "headers": {"X-Tenant": "t1", "X-Trace": "abc"}},
        "retry": {"max_attempts": 5, "base": 1.0},
    }
)
TASK = json.dumps({"webhook": "https://hooks.example.com/in", "ttl": FAR_MS / 1000, "data": "x" * SIZE})
JOB = json.dumps(
    {"type": "empty", "payload": {"x": "x" * SIZE}, "user_id": "u", "scheduled_at": clock.now_ms() + FAR_MS}
)


def single(quick: bool) -> Row:
    """``POST /echoAtTime`` by 32 clients; in turns with the same request to a route that does nothing."""
    with _service("echo") as service, _trivial(quick) as baseline:
        (bare, bare_cpu), (load, cpu) = _in_turns(quick, baseline, _loaded(service, Route(trivial.PATH, ECHO), quick))
        memory = [process.memory_info().rss / 2**20 for process in service.processes()["api"]]
    return Row(
        f"{load.per_second:,.0f}/s, p99 {load.p(0.99):.1f} ms",
        f"{bare.per_second:,.0f}/s, p99 {bare.p(0.99):.1f} ms",
        load.per_second / bare.per_second,
        ">= 0.85 of a trivial Flask route; p99 no longer than its",
        load.per_second >= 0.85 * bare.per_second and load.p(0.99) <= bare.p(0.99),
        f"POST /echoAtTime over {CONNECTIONS} kept connections, one API process, private Redis; generator, API and "
        f"Redis share the cores; p50 {load.p(0.5):.1f} ms; generator {load.cpu_seconds / load.answers * 1e6:.0f} µs "
        f"per request. {cpu}; the trivial route's {bare_cpu}. Resident memory of the API's processes "
        f"{', '.join(f'{size:.0f}' for size in memory)} MiB.",
    )


def message(quick: bool) -> Row:
    """``POST /v1/messages`` with a webhook, two headers and a retry policy; the trivial route in turns with it."""
    with _service("message") as service, _trivial(quick) as baseline:
        webhook = _loaded(service, Route("/v1/messages", WEBHOOK), quick)
        (bare, bare_cpu), (load, cpu) = _in_turns(quick, baseline, webhook)
    return Row(
        f"{load.per_second:,.0f}/s, p99 {load.p(0.99):.1f} ms",
        f"{bare.per_second:,.0f}/s",
        load.per_second / bare.per_second,
        ">= 0.60 of a trivial Flask route",
        load.per_second >= 0.6 * bare.per_second,
        f"POST /v1/messages with a webhook, two headers and a retry policy over {CONNECTIONS} kept connections, one "
        f"API process. {cpu}; the trivial route's {bare_cpu}.",
    )


def kept(quick: bool) -> Row:
    """``POST /schedule`` and ``/api/jobs``, in turns with ``/echoAtTime`` in the same service."""
    with folder() as path:
        config = path / "appsettings.json"
        config.write_text(json.dumps({"Jobs": {"Modules": ["bench.handlers"], "RateLimitPerUser": ""}}))
        with _service("kept", str(config)) as service:
            routes = Route(trivial.PATH, ECHO), Route("/schedule", TASK), Route("/api/jobs", JOB)
            sides = [_loaded(service, route, quick) for route in routes]
            (echo, _), (task, task_cpu), (job, job_cpu) = _in_turns(quick, *sides)
    least = min(task.per_second, job.per_second) / echo.per_second
    return Row(
        f"tasks {task.per_second:,.0f}/s, jobs {job.per_second:,.0f}/s",
        f"{echo.per_second:,.0f}/s",
        least,
        "each >= 0.70 of /echoAtTime",
        least >= 0.7,
        f"POST /schedule and POST /api/jobs over {CONNECTIONS} kept connections, one API process; p99 "
        f"{task.p(0.99):.1f} and {job.p(0.99):.1f} ms. Tasks: {task_cpu}. Jobs, without a limit per user: {job_cpu}. "
        "Baseline: POST /echoAtTime in the same service.",
    )


def guarded(quick: bool) -> Row:
    """``POST /echoAtTime`` with a token, with a rate limit, and with an Idempotency-Key of its own each time."""
    found: list[str] = []
    guards = {
        "token": ({"API__AUTHTOKEN": "secret"}, "Authorization: Bearer secret\r\n"),
        "rate limit": ({"API__RATELIMIT": "100000000/hour"}, ""),
        "key": ({}, "Idempotency-Key: bench-NUMBER\r\n"),
    }
    with _service("bare") as service:
        bare, _ = _whole(quick, _loaded(service, Route(trivial.PATH, ECHO), quick))
    for name, (settings, headers) in [*guards.items()][: 1 if quick else None]:
        with _service(name.replace(" ", "-"), **settings) as service:
            load, cpu = _whole(quick, _loaded(service, Route(trivial.PATH, ECHO, headers), quick))
        found.append(f"{name} {load.per_second:,.0f}/s ({load.per_second / bare.per_second:.2f}; {cpu})")
    return Row(
        f"{found[0].partition(' (')[0]}",
        f"{bare.per_second:,.0f}/s",
        None,
        "as measured",
        True,
        f"POST /echoAtTime over {CONNECTIONS} kept connections, one API process, each with one more thing to look at: "
        f"{'; '.join(found)}. A limit and a key ask Redis by themselves, in a thread. Baseline: without any.",
    )


def reading(quick: bool) -> Row:
    """What Flask answers behind the front: a message, and the figures of the service."""
    with _service("reading") as service, _trivial(quick) as baseline:
        fill_far(service.store, 1)
        id = service.store.page().messages[0].id
        routes = Route(f"/v1/messages/{id}", "", method="GET"), Route("/v1/stats", "", method="GET")
        sides = [_loaded(service, route._replace(messages=0), quick) for route in routes]
        (bare, _), (one, one_cpu), (stats, stats_cpu) = _in_turns(quick, baseline, *sides)
    ratio = one.per_second / bare.per_second
    return Row(
        f"message {one.per_second:,.0f}/s, stats {stats.per_second:,.0f}/s",
        f"{bare.per_second:,.0f}/s",
        ratio,
        "a message >= 0.25, stats >= 0.10 of a trivial Flask route",
        ratio >= 0.25 and stats.per_second >= 0.1 * bare.per_second,
        f"GET /v1/messages/<id> and GET /v1/stats over {CONNECTIONS} kept connections, one API process; p99 "
        f"{one.p(0.99):.1f} and {stats.p(0.99):.1f} ms. A message: {one_cpu}. Stats: {stats_cpu}.",
    )


def crowded(quick: bool) -> Row:
    """A thousand connections, a hundred of which trickle their bodies."""
    slow, others = (10, 50) if quick else (100, 900)
    with _service("crowded") as service, trickling(service.port, trivial.PATH, slow):
        load, cpu = _whole(quick, _loaded(service, Route(trivial.PATH, ECHO), quick, connections=others, rate=1_000))
    return Row(
        f"p50 {load.p(0.5):.1f}, p99 {load.p(0.99):.1f} ms",
        "",
        None,
        "p99 <= 20 ms",
        load.p(0.99) <= 20,
        f"POST /echoAtTime, 1,000 requests/s over {others} kept connections, while {slow} others send a byte of a body "
        f"now and then; one API process. {cpu}.",
    )


def beside(quick: bool) -> Row:
    """Lateness of 500 messages/s while SHARE of what the trivial route does is accepted; in turns with without."""
    turns, seconds = (1, 1.0) if quick else (TURNS, 4.0)
    with _trivial(quick) as baseline:
        ((bare, _),) = _in_turns(quick, baseline)
    rate = 200 if quick else round(SHARE * bare.per_second)
    alone, late, loads = [], [], []
    with (
        folder() as path,
        closing(PipeConsole()) as console,
        Service(path / "service", console) as service,
    ):
        for turn in range(turns):
            first = 2 * turn * round(500 * seconds)
            alone.append(on_time(service, console, 500, seconds, first))
            running = Running(Plan(service.port, trivial.PATH, ECHO, CONNECTIONS, seconds + 2.0, rate=rate))
            late.append(on_time(service, console, 500, seconds, first + round(500 * seconds)))
            loads.append(running.result())
    mine, base, load = Lateness.middle(late), Lateness.middle(alone), Load.of(loads)
    return Row(
        str(mine),
        str(base),
        mine.p99 / base.p99,
        "p99 <= 2.5 x of without; all that is sent is accepted",
        # Who accepts half of it has half the work.
        mine.p99 <= 2.5 * base.p99 and load.per_second >= 0.95 * rate,
        f"{turns} turns of {seconds:g} s, the middle percentiles count: 500 messages/s, each at its own moment, while "
        f"POST /echoAtTime is sent {rate:,} times a second over {CONNECTIONS} connections, {SHARE:g} of what a route "
        f"that does nothing answers here; {load.per_second:,.0f}/s were accepted, p99 {load.p(0.99):.1f} ms. Baseline, "
        "in turns with it: without requests.",
    )


def batch(quick: bool) -> Row:
    """``POST /v1/messages/batch``; the store's own call, in process, after it."""
    one = {"message": "x" * SIZE, "time": clock.now_ms() + FAR_MS}
    body = json.dumps({"messages": [one] * BATCH})
    with folder() as path:
        bare = _bare_schedule(path, 5_000 if quick else 100_000)
    with _service("batch") as service:
        route = Route("/v1/messages/batch", body, messages=BATCH)
        load, cpu = _whole(quick, _loaded(service, route, quick, BATCH_CONNECTIONS))
    rate = load.per_second * BATCH
    return Row(
        f"{rate:,.0f}/s",
        f"{bare:,.0f}/s",
        rate / bare,
        ">= 0.70 of the store's own schedule",
        rate >= 0.7 * bare,
        f"POST /v1/messages/batch of {BATCH:,} over {BATCH_CONNECTIONS} kept connections, one API process; p99 of a "
        f"batch {load.p(0.99):.0f} ms. Baseline: the store's schedule of {BATCH:,} in process, one thread. {cpu}.",
    )


@contextmanager
def _service(name: str, config: str = "", **settings: str) -> Iterator[Service]:
    with (
        folder() as path,
        closing(FileConsole(path / "console.txt")) as console,
        Service(path / name, console, config=config, **settings) as service,
    ):
        yield service


class _Side:
    """What is loaded, a slice at a time."""

    def __init__(self, plan: Plan, cpu: Callable[[], dict[str, float]], what: str, messages: int = 1) -> None:
        """``cpu``: the seconds its processes have used.  ``messages``: in a request; the CPU time is told for each."""
        self._plan = plan
        self._cpu = cpu
        self._what = what
        self._messages = messages
        self._used: dict[str, float] = {}
        self._loads: list[Load] = []

    def load(self, times: int = 1) -> None:
        """Run one slice, or so many as one."""
        before = self._cpu()
        self._loads.append(Running(self._plan._replace(seconds=times * self._plan.seconds)).result())
        for role, seconds in self._cpu().items():
            self._used[role] = self._used.get(role, 0.0) + seconds - before[role]

    def whole(self) -> tuple[Load, str]:
        """All slices, and their CPU time in words."""
        load = Load.of(self._loads)
        return load, in_words(dict.fromkeys(self._used, 0.0), self._used, load.answers * self._messages, self._what)


class _Storing(_Side):
    """A service whose store must hold what was accepted."""

    def __init__(self, service: Service, plan: Plan, messages: int) -> None:
        super().__init__(plan, service.cpu_seconds, "message", max(1, messages))
        self._service = service
        self._each = messages

    def load(self, times: int = 1) -> None:
        before = self._stored()
        super().load(times)
        stored, expected = self._stored() - before, self._loads[-1].answers * self._each
        check(stored == expected, f"{expected:,} accepted, {stored:,} stored")

    def _stored(self) -> int:
        return sum(self._service.store.counts().scheduled.values())


def _in_turns(quick: bool, *sides: _Side) -> list[tuple[Load, str]]:
    """Load each side for a slice, again and again."""
    for _ in range(1 if quick else TURNS):
        for side in sides:
            side.load()
    return [side.whole() for side in sides]


def _whole(quick: bool, side: _Side) -> tuple[Load, str]:
    """Load one side for as long as all slices take, at once."""
    side.load(1 if quick else TURNS)
    return side.whole()


@contextmanager
def _trivial(quick: bool) -> Iterator[_Side]:
    """The trivial route."""
    with trivial.running() as (port, process):
        plan = _plan(port, Route(trivial.PATH, ECHO), quick)
        yield _Side(plan, lambda: cpu_seconds({"api": process.children()}), "request")


def _plan(port: int, route: Route, quick: bool, connections: int = CONNECTIONS, rate: float = 0.0) -> Plan:
    seconds, warm = (0.5, 0.1) if quick else (1.5, 0.3)
    return Plan(port, route.path, route.body, connections, seconds, warm, rate, route.method, route.headers)


def _loaded(service: Service, route: Route, quick: bool, connections: int = CONNECTIONS, rate: float = 0.0) -> _Side:
    """A service under these requests."""
    return _Storing(service, _plan(service.port, route, quick, connections, rate), route.messages)


@contextmanager
def trickling(port: int, path: str, count: int) -> Iterator[None]:
    """``count`` clients that send a byte of a body now and then."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 1000\r\n\r\n{{"
    with ExitStack() as opened:
        clients = [opened.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]
        over = threading.Event()

        def trickle() -> None:
            while not over.wait(0.5):
                for client in clients:
                    client.sendall(b" ")

        for client in clients:
            client.sendall(head.encode())
        thread = threading.Thread(target=trickle)
        thread.start()
        opened.callback(thread.join)
        opened.callback(over.set)
        yield


def _bare_schedule(path: Path, count: int) -> float:
    with private_redis(path / "bare") as store:
        began = clock.monotonic()
        fill_far(store, count)
        return count / (clock.monotonic() - began)


FIGURES = (
    Figure("single-ingest", single),
    Figure("message-ingest", message),
    Figure("kept-ingest", kept),
    Figure("guarded-ingest", guarded),
    Figure("batch-ingest", batch),
    Figure("reading", reading),
    Figure("crowded", crowded),
    Figure("beside-ingest", beside),
)
