"""The front and Flask answer alike, byte for byte; what the front does with bodies that do not come."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scheduler.api.front import reading
from scheduler.api.front.application import LARGE
from scheduler.api.front.routes import ROUTES
from scheduler.api.http.exchange import Route
from scheduler.api.http.rate_limits import _ServiceRedis
from scheduler.errors import StoreUnavailable
from scheduler.jobs import REGISTRY
from scheduler.message import IdGenerator, NewMessage
from tests.support.api import Api, AwayStore
from tests.support.clock import FakeClock
from tests.support.front import Ask, Fields, FrontApi, Told, front_of, of_flask, parts_of
from tests.support.waiting import wait_for

REGISTRY.handler("fronted")(lambda payload, context: None)

LOOPS = {"asyncio": asyncio.new_event_loop}
try:
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop
except ImportError:  # no wheel for this system: the service runs on asyncio there
    pass

JSON = ("content-type", "application/json")
TEXT = ("accept", "text/plain")
FORM = ("content-type", "application/x-www-form-urlencoded")
ORIGIN = ("origin", "http://app.example")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LIMIT = 100_000
WEBHOOK = {"url": "https://hooks.example/x", "headers": {"X-A": "b"}}
VALID: dict[str, list[Any]] = {
    "/echoAtTime": [{"time": 4_000_000_000, "message": "hi"}, {"time": "2031-01-01 09:00", "message": {"a": [1, 2.5]}}],
    "/v1/messages": [
        {"message": 1},
        {"message": 1, "delay": "1h", "webhook": WEBHOOK, "retry": {"max_attempts": 3}, "priority": "high"},
        {"message": 12345678901234567890, "id": "own"},
        {"message": 2, "id": "own"},
        {"message": {"a": 1}, "job": {"type": "fronted"}},
    ],
    "/v1/messages/batch": [
        {"messages": [{"message": 1}, {"message": 2, "id": "b"}]},
        {"messages": [{"message": 1, "id": "b"}]},
        {"messages": [{"message": n, "id": f"x{n % 3}"} for n in range(5)]},
        {"messages": [{"message": "x" * 100, "delay": 5}] * 700},
        {"messages": []},
    ],
    "/schedule": [
        {"webhook": WEBHOOK["url"], "ttl": 5, "data": [1]},
        {"webhook": "http://127.0.0.1/", "ttl": 1, "data": 1},
    ],
    "/api/jobs": [
        {"type": "fronted", "payload": {"a": 1}, "user_id": "u"},
        {"type": "fronted", "payload": {"a": 1}, "user_id": "u", "priority": 9},
        {"type": "nobody", "payload": {}, "user_id": "u", "scheduled_at": "2031-01-01"},
    ],
}  # fmt: skip
HOSTILE = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "null": b"null",
    "NaN": b'{"message": NaN}',
    "1e400 and a long number": b'{"message": 1e400, "x": 12345678901234567890}',
    "a lone surrogate": b'{"message": "\\ud800", "time": 1}',
    "no UTF-8": b'{"message": "\xff\xfe"}',
    "UTF-16": '{"message": 1}'.encode("utf-16"),
    "deep": b'{"message": %s1%s}' % (b"[" * 5000, b"]" * 5000),
    "unknown names": b"{%s}" % b",".join(b'"%d":1' % n for n in range(6000)),
    "a doubled name": b'{"message": 1, "message": 2, "time": 4000000000}',
    "an empty message": b'{"time": 1, "message": ""}',
    "a wrong time": b'{"time": "soon", "message": 1, "delay": -1}',
    "as long as may be": b'{"message": "%s"}' % (b"x" * (LIMIT - 15)),
    "too long": b'{"message": "%s"}' % (b"x" * LIMIT),
    "long": b'{"message": "%s", "time": 4000000000}' % (b"x" * LARGE),
}
HEADERS: dict[str, list[tuple[str, str]]] = {
    "undeclared": [],
    "text": [("content-type", "text/plain")],
    "a form": [FORM],
    "UTF-16": [("content-type", "application/json; charset=utf-16")],
    "two types": [JSON, ("content-type", "text/plain")],
    "a key": [JSON, ("idempotency-key", "k1")],
    "the key again": [JSON, ("idempotency-key", "k1")],
    "an empty key": [JSON, ("idempotency-key", "")],
    "no ASCII": [JSON, ("idempotency-key", "\xe4"), ("x-forwarded-for", "\xff")],
    "two keys": [JSON, ("idempotency-key", "k2"), ("idempotency-key", "k3")],
    "plain text": [JSON, TEXT],
    "what browsers accept": [JSON, ("accept", "text/html, text/plain;q=0.5, */*;q=0.1")],
    "nothing acceptable": [JSON, ("accept", "")],
    "a page": [JSON, ORIGIN],
    "another site": [JSON, ("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")],
    "another host": [JSON, ("host", "evil.example")],
    "a token": [JSON, ("authorization", "Bearer secret")],
    "a wrong token": [JSON, ("authorization", "Bearer s\xe4cret")],
    "two tokens": [JSON, ("authorization", "secret"), ("authorization", "other")],
}
SETTINGS: dict[str, dict[str, Any]] = {
    "as they come": {},
    "with a token": {"api": {"auth_token": "secret"}},
    "limits": {"api": {"rate_limit": "40/day"}, "jobs": {"rate_limit_per_user": "2/day"}},
    "pages": {"api": {"cors_origins": "http://app.example", "echo_answers": "text"}},
    "any page, no past": {"api": {"cors_origins": "*"}, "scheduler": {"past": "reject"}},
    "partitions": {"redis": {"partitions": 3}, "server": {"public_url": "https://x.example/s"}},
}


def corpus() -> Iterator[Ask]:
    for path in ROUTES:
        bodies = [json.dumps(value).encode() for value in VALID[path]]
        yield from (Ask(path, body) for body in bodies)
        yield from (Ask(path, body, (JSON, ("authorization", "secret"))) for body in bodies[:1])
        yield from (Ask(path, bodies[0], tuple(headers)) for headers in HEADERS.values())
        yield from (Ask(path, body) for body in HOSTILE.values())
        yield Ask(path, b"{]", (JSON, ("idempotency-key", "k1"), TEXT))
        yield Ask(path, bodies[0], parts=5)
        yield Ask(path, bodies[0], chunked=True)
        yield Ask(path, HOSTILE["too long"], chunked=True)
        yield Ask(path, bodies[0], cut=1)
        yield Ask(f"{path}?type=a%20b&type=c&x=%ff", bodies[0])
        yield Ask(path, bodies[0], method="OPTIONS", headers=(ORIGIN, ("access-control-request-method", "POST")))
    yield Ask("/schedule?type=mail", json.dumps(VALID["/schedule"][0]).encode())
    yield Ask("/echoAtTime", b"time=4000000000&message=a+b", (FORM,))
    yield Ask("/echoAtTime", b"time=%ff", (FORM, TEXT))
    # What the front hands over.
    yield from (Ask(path, b"", (), "GET") for path in ("/", "/v1/messages", "/nowhere", "/v1/%ff%00", "//", "/docs/"))
    yield Ask("/v1/messages", b"{}", method="DELETE")
    yield Ask("/v1/messages/own", b'{"delay": 9}', method="PATCH")
    yield Ask("/v1/messages/own", HOSTILE["too long"], method="PATCH")
    yield Ask("/v1/messages/own", b"", (), "HEAD")
    yield Ask("/v1/messages/", b"{}")
    yield Ask("/v1/%6Dessages", b'{"message": 1}')


@pytest.fixture
def same_ids(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes all ids that follow the same as after the last call."""

    def begin() -> None:
        chances, uuids = itertools.count(), itertools.count()
        monkeypatch.setattr(IdGenerator, "_chance", lambda _: next(chances) * 3844 * 7)
        monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(uuids)))
        # The seconds until a window of a rate limit ends.
        monkeypatch.setattr(_ServiceRedis, "get_expiry", lambda *_: 60.0)

    return begin


@pytest.mark.parametrize(
    ("loop", "settings"), [*(("asyncio", name) for name in SETTINGS), *((name, "limits") for name in [*LOOPS][1:])]
)
def test_the_front_answers_byte_for_byte_as_flask_does(
    clock: FakeClock, same_ids: Callable[[], None], loop: str, settings: str
) -> None:
    wanted = {**SETTINGS[settings], "api": {"max_body_bytes": LIMIT, **SETTINGS[settings].get("api", {})}}
    asks = list(corpus())
    same_ids()
    flask = Api(clock, wanted)
    expected = [of_flask(flask, ask) for ask in asks]
    same_ids()
    with front_of(Api(clock, wanted), LOOPS[loop]) as front:
        told = [front.send(ask) for ask in asks]
    for ask, mine, theirs in zip(asks, told, expected, strict=True):
        assert mine == theirs, (ask.path, ask.body[:200], ask.headers)
    assert flask.telemetry.snapshot() == front.api.telemetry.snapshot()
    assert len({answer.status for answer in told}) > 5
    assert flask.store.counts() == front.api.store.counts()
    assert (flask.log.infos, flask.log.errors) == (front.api.log.infos, front.api.log.errors)


def accepted(told: Told) -> bool:
    return told.status in (200, 201)


@pytest.fixture
def front(clock: FakeClock) -> Iterator[FrontApi]:
    with front_of(Api(clock, {"api": {"max_body_bytes": LIMIT}})) as front:
        yield front


def test_the_stop_closes_connections(front: FrontApi) -> None:
    front.api.services.stopping.set()
    told = front.send(Ask("/v1/messages", b'{"message": 1}'))
    assert ("connection", "close") in [(name, value) for name, value in told.headers]


def test_redis_away_is_said_to_each(clock: FakeClock) -> None:
    with front_of(Api(clock, store=AwayStore())) as front:
        told = front.all_at_once([Ask("/v1/messages", b'{"message": 1}')] * 20)
        assert {answer.status for answer in told} == {503}
        assert {dict(answer.headers)["retry-after"] for answer in told} == {"2"}


def test_a_partition_that_is_away_refuses_its_own_messages_only(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(clock, {"redis": {"partitions": 4}})
    whole = api.store.schedule

    def half(messages: list[NewMessage], **more: Any) -> Any:
        partitions = {api.store.partition_of(message.id) for message in messages}
        assert len(partitions) == 1
        if partitions == {2}:
            raise StoreUnavailable("away")
        return whole(messages, **more)

    monkeypatch.setattr(api.store, "schedule", half)
    with front_of(api) as front:
        told = front.all_at_once([Ask("/v1/messages", b'{"message": 1, "delay": 60}')] * 100)
    stored = [json.loads(answer.body)["id"] for answer in told if answer.status == 201]
    assert {answer.status for answer in told} == {201, 503}
    assert {api.store.partition_of(id) for id in stored} == {0, 1, 3}
    assert sum(api.store.counts().scheduled.values()) == len(stored)


@pytest.mark.parametrize("given", [TRACE, "00-nonsense"])
@pytest.mark.parametrize("path", sorted(VALID))
def test_the_trace_of_a_request_is_kept_with_its_messages(clock: FakeClock, path: str, given: str) -> None:
    body = json.dumps({"messages": [{"message": 1}]} if path.endswith("batch") else VALID[path][0]).encode()
    plain = Ask(path, body)
    traced = Ask(path, body, (JSON, ("traceparent", given)))
    keyed = Ask(path, body, (*traced.headers, ("idempotency-key", "k1")))
    flask, api = Api(clock), Api(clock)
    told = [of_flask(flask, ask) for ask in (plain, traced, keyed)]
    with front_of(api) as front:
        told += front.all_at_once([plain, traced, keyed])
    assert all(accepted(one) for one in told)
    for client in (flask.store.client, api.store.client):
        traces = [client.hget(key, "T") for key in client.keys("ms1:{0}:msg:*")]
        assert Counter(traces) == ({None: 1, TRACE: 2} if given == TRACE else {None: 3})


@pytest.mark.parametrize("path", sorted({*VALID} - {"/v1/messages/batch"}))
def test_requests_of_one_moment_share_script_calls(front: FrontApi, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    groups: list[int] = []
    whole = front.api.store.schedule
    commit = front.front._commits[0]

    def counted(messages: list[NewMessage]) -> Any:
        if not groups:
            # A job is counted for its user first, in a thread: not all come at the same moment.
            wait_for("all others wait for the first call", lambda: len(messages) + len(commit._waiting) == 30)
        groups.append(len(messages))
        # The first call lasts until the others have come: on a busy machine they come one by one.
        wait_for("the others", lambda: sum(groups) + len(front.front._commits[0]._waiting) == 30)
        return whole(messages)

    monkeypatch.setattr(commit, "_write", counted)
    told = front.all_at_once([Ask(path, json.dumps(VALID[path][0]).encode())] * 30)
    assert all(accepted(answer) for answer in told)
    assert sum(groups) == 30
    assert len(groups) <= 2
    assert len({answer.body for answer in told}) == 30


def test_our_own_fault_is_answered_and_logged(front: FrontApi, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setitem(ROUTES, "/v1/messages", Route(broken))
    told = front.send(Ask("/v1/messages", b"{}"))
    assert (told.status, json.loads(told.body)["title"]) == (500, "Internal Server Error")
    assert front.api.log.count("POST /v1/messages failed") == 1


class TestBodiesThatDoNotCome:
    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "BODY_SECONDS", 0.2)

    @pytest.mark.parametrize("path", ["/v1/messages", "/v1/dead-letters/redrive"])
    def test_they_are_given_up_and_the_connection_is_closed(self, front: FrontApi, path: str) -> None:
        told = front.send(Ask(path, b'{"message": 1} ', cut=1, stalls=True))
        assert told.status == 408
        assert ("connection", "close") in told.headers
        assert json.loads(told.body)["detail"] == "the body did not come within 0.2 seconds"

    def test_they_hold_nobody_up(self, front: FrontApi) -> None:
        stalled = Ask("/v1/messages", b'{"message": 1} ', cut=1, stalls=True)
        before = time.monotonic()

        async def others() -> None:
            waiting = [asyncio.create_task(front.answer(stalled)) for _ in range(500)]
            for n in range(20):
                told = await front.answer(Ask("/v1/messages", b'{"message": %d, "delay": 9}' % n))
                assert accepted(told)
                assert (await front.answer(Ask("/v1/messages", b"", (), "GET"))).status == 200
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

        front._runner.run(others())
        assert time.monotonic() - before < 20, "one after the other they take 25 s"
        assert sum(front.api.store.counts().scheduled.values()) == 20

    def test_without_a_token_nobody_waits_for_them(self, clock: FakeClock) -> None:
        with front_of(Api(clock, {"api": {"auth_token": "secret"}})) as front:
            for path in ("/v1/messages", "/v1/dead-letters/redrive"):
                assert front.send(Ask(path, b'{"message": 1} ', cut=1, stalls=True)).status == 401


class TestBodiesThatAreTooLarge:
    """Most clients send all of it before they look at the answer, and see a broken pipe where nobody reads it."""

    @pytest.mark.parametrize("chunked", [False, True])
    @pytest.mark.parametrize("path", ["/v1/messages", "/v1/dead-letters/redrive"])
    def test_they_are_read_before_the_answer(self, front: FrontApi, path: str, chunked: bool) -> None:
        parts = parts_of(Ask(path, b"x" * 2_000_000, parts=20))
        ask = Ask(path, b"x" * 2_000_000, chunked=chunked)
        assert front.send(ask, parts).status == 413
        assert parts == []

    def test_one_that_does_not_come_is_not_waited_for(self, front: FrontApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "DISCARD_SECONDS", 0.1)
        assert front.send(Ask("/v1/messages", b"x" * 2_000_000, cut=1_999_999, stalls=True)).status == 413

    @pytest.mark.parametrize("fields", [(("expect", "100-continue"),), (("content-length", "17000000000"),)])
    def test_one_that_nobody_would_read_is_refused_at_once(self, front: FrontApi, fields: Fields) -> None:
        body = b"" if fields[0][0] == "content-length" else b"x" * 2_000_000
        headers = (("content-type", "application/json"), *fields)
        assert front.send(Ask("/v1/messages", body, headers, cut=len(body), stalls=True)).status == 413


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/dead-letters/redrive"])
def test_half_a_request_is_no_request(front: FrontApi, path: str, chunked: bool) -> None:
    # What came is a whole JSON text.
    told = front.send(Ask(path, b'{"message": 1} ', cut=1, chunked=chunked))
    assert told.status == 400
    assert front.api.store.page().messages == []
