"""What the Python client sends again, when, and with which key."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from message_scheduler_client import (
    AsyncClient,
    Client,
    Conflict,
    Retries,
    SchedulerError,
    TooManyRequests,
    Unavailable,
    Unreachable,
)
from message_scheduler_client.retries import retry_after
from message_scheduler_client.testing import receiver
from message_scheduler_client.testing.receiver import Receiver

Answer = httpx.Response | Exception


class Script(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Gives these answers one after the other, and keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = iter(answers)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)

    @property
    def keys(self) -> list[str | None]:
        return [request.headers.get("idempotency-key") for request in self.requests]


OK = {"paused": False, "id": "1", "would_redrive": 0}


def ok() -> httpx.Response:
    return httpx.Response(200, json=OK)


def refused(status: int = 503, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"title": "No", "status": status, "detail": "Redis is away"}, headers=names)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each wait; nobody really waits, and what is drawn is the whole backoff."""
    noted: list[float] = []

    async def sleep(seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr("message_scheduler_client.clients.time.sleep", noted.append)
    monkeypatch.setattr("message_scheduler_client.clients.asyncio.sleep", sleep)
    monkeypatch.setattr(random, "random", lambda: 1.0)
    return noted


def client(script: Script, retries: Retries | None = None) -> Client:
    return Client(http=httpx.Client(transport=script), retries=retries or Retries())


def test_a_message_is_sent_again_under_one_key(waits: list[float]) -> None:
    script = Script(httpx.ReadTimeout("late"), refused(), ok())
    client(script).send("x")
    assert len(set(script.keys)) == 1
    assert script.keys[0]
    assert len({request.content for request in script.requests}) == 1
    assert waits == [0.25, 0.5]


def test_two_calls_have_two_keys(waits: list[float]) -> None:
    script = Script(ok(), ok())
    one = client(script)
    one.send("x")
    one.send("x")
    assert len(set(script.keys)) == 2


def test_the_callers_own_key_is_used(waits: list[float]) -> None:
    script = Script(refused(), ok())
    client(script).send("x", idempotency_key="mine")
    assert script.keys == ["mine", "mine"]


def test_retry_after_is_honoured(waits: list[float]) -> None:
    script = Script(refused(429, retry_after="7"), ok())
    client(script).pause()
    assert waits == [7.25]


def test_a_retry_after_beyond_the_bound_ends_the_call(waits: list[float]) -> None:
    script = Script(refused(429, retry_after="3600"))
    with pytest.raises(TooManyRequests) as caught:
        client(script).pause()
    assert caught.value.retry_after == 3600
    assert waits == []


def test_all_waits_together_are_bounded(waits: list[float]) -> None:
    script = Script(*(refused(retry_after="4") for _ in range(9)))
    with pytest.raises(Unavailable):
        client(script, Retries(most=9, longest_wait=10)).stats()
    assert sum(waits) <= 10
    assert len(script.requests) == len(waits) + 1


def test_the_repeats_are_bounded(waits: list[float]) -> None:
    script = Script(*(httpx.ConnectError("refused") for _ in range(9)))
    with pytest.raises(Unreachable, match="refused"):
        client(script).stats()
    assert len(script.requests) == 4


@pytest.mark.parametrize("answer", [httpx.ReadTimeout("late"), refused(503)])
def test_what_does_more_when_repeated_is_not(waits: list[float], answer: Answer) -> None:
    script = Script(answer, ok())
    with pytest.raises((Unreachable, Unavailable)):
        client(script).redrive_many()
    assert len(script.requests) == 1


@pytest.mark.parametrize("answer", [httpx.ConnectError("refused"), refused(429)])
def test_unless_it_cannot_have_been_done(waits: list[float], answer: Answer) -> None:
    script = Script(answer, ok())
    client(script).redrive_many()
    assert len(script.requests) == 2


def test_a_conflict_after_a_lost_answer_says_so(waits: list[float]) -> None:
    script = Script(httpx.ReadError("broken off"), refused(409))
    with pytest.raises(Conflict) as caught:
        client(script).cancel("1")
    assert caught.value.tries == 2


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_what_would_not_pass_is_not_repeated(waits: list[float], status: int) -> None:
    script = Script(refused(status))
    with pytest.raises(Exception, match="Redis is away"):
        client(script).stats()
    assert waits == []


def test_the_asynchronous_client_waits_and_repeats_alike(waits: list[float]) -> None:
    script = Script(refused(retry_after="2"), httpx.ReadError("broken off"), ok())

    async def scenario() -> None:
        await AsyncClient(http=httpx.AsyncClient(transport=script)).send("x")

    asyncio.run(scenario())
    assert len(set(script.keys)) == 1
    assert waits == [2.25, 0.5]


def test_an_answer_of_something_else(waits: list[float]) -> None:
    page = httpx.Response(502, text="<html>Bad Gateway</html>")
    with pytest.raises(Exception, match="502 Bad Gateway: <html>"):
        client(Script(page), Retries(most=0)).stats()
    moved = httpx.Response(301, headers={"Location": "https://scheduler.example/"})
    with pytest.raises(Exception, match=r"redirects to https://scheduler\.example/"):
        client(Script(moved)).send("x")
    with pytest.raises(Exception, match="answered no JSON"):
        client(Script(httpx.Response(200, text="hello"))).stats()


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3.0), ("0", 0.0), ("soon", None), (None, None), ("-1", None), ("", None)]
)
def test_retry_after_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after(value) == seconds


@pytest.mark.parametrize(("off", "least", "most"), [(90, 80, 90), (-90, 0, 0)])
def test_retry_after_as_a_date(off: int, least: float, most: float, now: Callable[[], datetime]) -> None:
    value = retry_after(format_datetime(now() + timedelta(seconds=off), usegmt=True))
    assert value is not None
    assert least <= value <= most


@pytest.fixture
def now() -> Callable[[], datetime]:
    from scheduler.clock import SystemClock

    return lambda: datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)


def test_where_the_service_is_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESSAGE_SCHEDULER_URL", "http://scheduler.example/path/")
    monkeypatch.setenv("MESSAGE_SCHEDULER_TOKEN", "secret\n")
    script = Script(ok(), ok())
    client(script).get("a/b")
    assert str(script.requests[0].url) == "http://scheduler.example/path/v1/messages/a%2Fb"
    assert script.requests[0].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://127.0.0.1:1", False),
        ("http://localhost:1/path", False),
        ("http://localhost.example:1", True),
        ("http://scheduler.example", True),
    ],
)
def test_no_proxy_of_the_environment_is_asked_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, url: str, asked: bool
) -> None:
    with Receiver() as proxy:
        for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", proxy.url())
        proxy.always(404)
        with Client(url, retries=Retries(most=0)) as client, pytest.raises(SchedulerError):
            client.get("a")
        assert bool(proxy.requests) is asked


def test_an_answer_in_a_broken_encoding(waits: list[float]) -> None:
    with pytest.raises(SchedulerError, match="header check"):
        client(Script(*[httpx.DecodingError("incorrect header check")] * 4)).get("a")


def test_one_asynchronous_client_serves_many_event_loops() -> None:
    """As where each task runs asyncio.run: a connection of a loop that is closed would fail."""
    with Receiver() as service:
        service.always(receiver.Answer(200, {"Content-Type": "application/json"}, b"{}"))
        client = AsyncClient(service.url(""), retries=Retries(most=0))

        async def scenario() -> None:
            await client.stats()
            await client.close()

        for _ in range(3):
            asyncio.run(scenario())
        assert len(service.requests) == 3

        async def closed() -> None:
            await scenario()
            await client.stats()

        with pytest.raises(RuntimeError, match="closed"):
            asyncio.run(closed())
