"""Webhooks through the scheduler process, on a real Redis and real sockets: attempts, retries, others, the end."""

from __future__ import annotations

import threading
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import pytest
import redis
from standardwebhooks.webhooks import Webhook

from scheduler.channels.webhook import WebhookChannel, WebhookTarget
from scheduler.clock import SystemClock
from scheduler.jobs import REGISTRY, JobContext
from scheduler.message import Message, Status
from scheduler.retry import RetryPolicy
from tests.support.api import Api
from tests.support.endpoint import BlackHole, Endpoint
from tests.support.running import QUICK, SHORT_LOCK, Running
from tests.support.waiting import wait_for

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
QUICKLY = RetryPolicy(max_attempts=3, base=0.01, factor=1, cap=0.01, jitter=False)


@REGISTRY.handler("of_the_webhook_test")
def _of_this_test(_payload: Any, _context: JobContext) -> str:
    return "done"


@pytest.fixture(autouse=True)
def _empty(redis_client: redis.Redis) -> None:
    """Every test begins with an empty Redis."""


def running(url: str, scheduler: dict[str, Any] | None = None, **webhook: Any) -> Running:
    settings = {
        **QUICK,
        "scheduler": {**QUICK["scheduler"], **(scheduler or {})},
        "webhook": {"allow_private_networks": True, "secrets": SECRET, **webhook},
    }
    return Running(url, settings=settings)


def add(runtime: Running, url: str, count: int = 1, retry: RetryPolicy = QUICKLY, **webhook: Any) -> list[str]:
    return runtime.add(count, channel="webhook", target=WebhookTarget(url=url, **webhook).encode(), retry=retry)


def ended(runtime: Running, id: str) -> Message:
    def probe() -> Message | None:
        message = runtime.store.get(id)
        return message if message.status in (Status.DELIVERED, Status.DEAD) else None

    return wait_for(f"{id} ended", probe)


def after_attempt(runtime: Running, id: str) -> Message:
    """The message as soon as the evidence of an attempt is there."""
    return wait_for(f"{id} attempted", lambda: m if (m := runtime.store.get(id)).attempts else None)


# -- attempts ----------------------------------------------------------------------------------------------------------


def test_each_attempt_is_signed_anew_under_one_id_and_kept_with_its_evidence(
    redis_url: str, endpoint: Endpoint
) -> None:
    with running(redis_url) as runtime:
        [id] = add(runtime, endpoint.url("/flaky/2"))
        message = ended(runtime, id)
    assert [request.headers["webhook-id"] for request in endpoint.requests] == [id] * 3
    assert [request.headers["scheduler-attempt"] for request in endpoint.requests] == ["1", "2", "3"]
    for request in endpoint.requests:
        assert Webhook(SECRET).verify(request.body, request.headers) == "m0"
    attempts = message.attempts or []
    assert [(a["outcome"], a["status_code"], a["response"]) for a in attempts] == [
        ("failed", 503, "ok"),
        ("failed", 503, "ok"),
        ("delivered", 200, "ok"),
    ]
    assert [a.get("error") for a in attempts] == ["HTTP 503", "HTTP 503", None]
    assert all(a["duration_ms"] > 0 for a in attempts)


@pytest.mark.parametrize(
    ("path", "attempts", "error"),
    [
        ("/status/410", 1, "HTTP 410: the endpoint is gone"),
        ("/status/500?Scheduler-No-Retry=true", 1, "HTTP 500 with Scheduler-No-Retry"),
        ("/status/500", 3, "HTTP 500"),
        ("/status/302?Location=https://example.com/", 3, "HTTP 302: redirects are not followed"),
        ("/reset", 3, ""),
    ],
)
def test_what_cannot_be_delivered_becomes_a_dead_letter_with_its_evidence(
    redis_url: str, endpoint: Endpoint, path: str, attempts: int, error: str
) -> None:
    with running(redis_url) as runtime:
        message = ended(runtime, add(runtime, endpoint.url(path))[0])
    assert (message.status, message.attempt, len(endpoint.requests)) == (Status.DEAD, attempts, attempts)
    assert (message.last_error or "").startswith(error)
    assert len(message.attempts or []) == attempts
    assert {(attempt["outcome"], bool(attempt["error"])) for attempt in message.attempts or []} == {("failed", True)}


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_and_not_the_shorter_backoff(redis_url: str, endpoint: Endpoint, form: str) -> None:
    value = "60" if form == "seconds" else quote(formatdate(SystemClock().now_ms() / 1000 + 60, usegmt=True))
    with running(redis_url) as runtime:
        message = after_attempt(runtime, add(runtime, endpoint.url(f"/status/429?Retry-After={value}"))[0])
    assert message.status is Status.SCHEDULED
    # A date has whole seconds, and counts from before the start.
    assert 40_000 <= message.due_at - (message.attempts or [])[0]["started_at"] <= 75_000


def test_retry_after_is_followed_up_to_the_cap(redis_url: str, endpoint: Endpoint) -> None:
    with running(redis_url, {"lock_seconds": SHORT_LOCK}, retry_after_cap_seconds=0.2) as runtime:
        message = ended(runtime, add(runtime, endpoint.url("/status/503?Retry-After=86400"))[0])
    first, second, third = message.attempts or []
    assert min(second["started_at"] - first["started_at"], third["started_at"] - second["started_at"]) >= 200


def test_an_endpoint_that_repeats_what_it_was_sent_does_not_put_secrets_into_the_evidence(
    redis_url: str, endpoint: Endpoint
) -> None:
    said = quote('got X-Api-Key: key-1234 and {"Authorization": "Basic dXNlcjpwYXNzd29yZA=="} and pass%77ord, ok')
    url = endpoint.url(f"/text/{said}").replace("http://", "http://user:password@")
    with running(redis_url) as runtime:
        message = ended(runtime, add(runtime, url, headers={"X-Api-Key": "key-1234"})[0])
    assert endpoint.requests[0].headers["authorization"] == "Basic dXNlcjpwYXNzd29yZA=="
    response = (message.attempts or [])[0]["response"]
    assert response == 'got X-Api-Key: *** and {"Authorization": "***"} and pass%77ord, ok'


# -- others ------------------------------------------------------------------------------------------------------------


def test_a_dead_address_delays_neither_a_good_endpoint_nor_echo_nor_jobs(redis_url: str, endpoint: Endpoint) -> None:
    settings = {"connect_timeout_seconds": 300, "timeout_seconds": 300}
    with BlackHole() as hole, running(redis_url, {"grace_seconds": 0.1}, **settings) as runtime:
        dead = add(runtime, hole.url(), 600)
        wait_for("the address is full", lambda: runtime.store.counts().processing >= 100)
        good = add(runtime, endpoint.url(), 50)
        echo = runtime.add(50, text="echo")
        jobs = runtime.add(5, channel="job", type="of_the_webhook_test")
        for id in [*good, *echo, *jobs]:
            assert ended(runtime, id).status is Status.DELIVERED
        # All that while the dead ones were still being tried: not one of them has ended or was charged.
        states = {runtime.store.get(id).status for id in dead}
        assert states <= {Status.PROCESSING, Status.SCHEDULED}
        assert not any(runtime.store.get(id).attempts for id in dead)


def test_as_many_hanging_destinations_as_there_is_room_delay_neither_echo_nor_jobs(redis_url: str) -> None:
    with (
        Endpoint(host="0.0.0.0") as endpoint,
        running(redis_url, {"grace_seconds": 0.1}, max_in_flight=20, timeout_seconds=300) as runtime,
    ):
        hanging = [add(runtime, f"http://127.0.0.{n}:{endpoint.port}/hang")[0] for n in range(1, 41)]
        endpoint.wait_for(20)
        for id in [*runtime.add(50, text="echo"), *runtime.add(5, channel="job", type="of_the_webhook_test")]:
            assert ended(runtime, id).status is Status.DELIVERED
        assert len(endpoint.requests) == 20, "one ended, or there was more room"
        assert not any(runtime.store.get(id).attempts for id in hanging)


# -- the end -----------------------------------------------------------------------------------------------------------


def test_a_stop_lets_transfers_finish_and_the_others_are_repeated_under_a_higher_attempt(
    redis_url: str, endpoint: Endpoint
) -> None:
    with running(redis_url, {"grace_seconds": 2.5}) as runtime:
        finishing = add(runtime, endpoint.url("/slow/400"), 3)
        hanging = add(runtime, endpoint.url("/hang"), 3)
        endpoint.wait_for(6)
    with running(redis_url, {"grace_seconds": 0.1}) as again:
        for id in finishing:
            assert (again.store.get(id).status, again.store.get(id).attempt) == (Status.DELIVERED, 1)
        endpoint.wait_for(9)
        for id in hanging:
            assert (again.store.get(id).attempts or [])[0]["error"] == "the server stopped delivering before it ended"
    repeated = endpoint.requests[6:]
    assert {request.headers["webhook-id"] for request in repeated} == set(hanging)
    assert {request.headers["scheduler-attempt"] for request in repeated} == {"2"}


def test_a_transfer_longer_than_its_lock_is_not_repeated(redis_url: str, endpoint: Endpoint) -> None:
    """The lock is renewed while the endpoint takes its time."""
    with running(redis_url, {"lock_seconds": SHORT_LOCK}) as runtime:
        [id] = add(runtime, endpoint.url(f"/slow/{1500 * SHORT_LOCK:.0f}"))
        assert ended(runtime, id).attempt == 1
    assert len(endpoint.requests) == 1


def test_health_fails_when_the_transfer_thread_has_died(
    redis_url: str, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = threading.Event()

    def defect(*_: object) -> None:
        died.set()
        raise RuntimeError("a defect")

    with running(redis_url) as runtime:
        api = Api(SystemClock(), {"scheduler": {"heartbeat_seconds": 0.05}}, runtime.store)
        wait_for("healthy", lambda: api.get("/health").status_code == 200)
        channel = runtime._process.workers._channels["webhook"]  # type: ignore[union-attr]
        assert isinstance(channel, WebhookChannel)
        monkeypatch.setattr(channel._engine, "_destination", defect)
        [id] = add(runtime, endpoint.url())
        assert died.wait(30)
        answer = wait_for("ill", lambda: a if (a := api.get("/health")).status_code == 503 else None)
        assert answer.json["status"] == "error"
        assert "channel webhook: a defect" in {s.get("failure") for s in runtime.store.servers().values()}
        # What needs no transfer thread goes on, and the message is there for another server.
        [echo] = runtime.add()
        assert ended(runtime, echo).status is Status.DELIVERED
        wait_for("given back", lambda: runtime.store.get(id).status is Status.SCHEDULED)
        assert not runtime.store.get(id).attempts
