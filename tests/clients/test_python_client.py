"""The Python client against the service's application: what it sends is understood, what it returns is the answer."""

from __future__ import annotations

import asyncio
import copy
import pickle
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from message_scheduler_client import AsyncClient, BadRequest, Client, Conflict, NotFound, Retries, Unauthorized

from scheduler.message import Outcome
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.store import take


class InThread(httpx.AsyncBaseTransport):
    """The application for an asynchronous client."""

    def __init__(self, api: Api) -> None:
        self._transport = httpx.WSGITransport(app=api.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._transport.handle_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.read())


def client_of(api: Api, token: str | None = None) -> Client:
    http = httpx.Client(transport=httpx.WSGITransport(app=api.app))
    return Client("http://localhost", token=token, http=http, retries=Retries(most=0))


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


@pytest.fixture
def client(api: Api) -> Client:
    return client_of(api)


def test_a_message_from_its_birth_to_its_end(client: Client) -> None:
    sent = client.send({"order": 4711}, delay="2m", priority="high", retry={"max_attempts": 2})
    assert sent["message"] == {"order": 4711}
    assert sent["max_attempts"] == 2
    changed = client.change(sent["id"], message="other", delay=60)
    assert changed["message"] == "other"
    assert client.run(sent["id"])["status"] == "scheduled"
    assert client.cancel(sent["id"])["status"] == "cancelled"
    assert client.get(sent["id"])["attempts"] == []


def test_a_dead_letter_is_redriven(client: Client, api: Api) -> None:
    sent = [client.send("x")["id"] for _ in range(3)]
    claims = take(api.store, 10, 1000).claims
    assert all(api.store.settle([Outcome(claim, "dead", error="given up") for claim in claims]))
    assert client.redrive(sent[0])["status"] == "scheduled"
    assert client.redrive_many(dry_run=True) == {"would_redrive": 2}
    assert client.redrive_many(limit=1) == {"redriven": 1}


def test_many_and_all_of_them_page_by_page(client: Client) -> None:
    batch = client.send_many({"message": number, "delay": 60 + number} for number in range(7))
    assert batch["accepted"] == 7
    assert [message["message"] for message in client.messages(status="scheduled", limit=3)] == [*range(7)]
    assert len(client.messages_page(limit=3)["messages"]) == 3


def test_moments_and_lengths_of_time_are_pythons_own(client: Client) -> None:
    moment = datetime(2027, 3, 1, 9, tzinfo=UTC)
    assert client.send("x", time=moment)["due_at"] == "2027-03-01T09:00:00.000Z"
    assert client.preview(time=moment)["due_at"] == "2027-03-01T09:00:00.000Z"
    later = client.send("x", delay=timedelta(hours=1))
    assert later["due_at_ms"] == FakeClock().now_ms() + 3_600_000
    assert [message["id"] for message in client.messages(status="scheduled", until=moment - timedelta(days=1))] == [
        later["id"]
    ]


def test_a_moment_without_a_zone_is_refused_before_it_is_sent(client: Client) -> None:
    with pytest.raises(ValueError, match="no tzinfo"):
        client.send("x", time=datetime(2027, 3, 1))  # noqa: DTZ001 - the point
    assert client.stats()["scheduled"]["total"] == 0


def test_a_schedule_from_its_birth_to_its_end(client: Client) -> None:
    made = client.create_schedule({"report": "daily"}, cron="0 9 * * *", timezone="Europe/Berlin", labels=["reports"])
    id = made["id"]
    assert made["status"] == "active"
    assert [schedule["id"] for schedule in client.schedules(label="reports", limit=1)] == [id]
    assert client.pause_schedule(id, note="holidays")["note"] == "holidays"
    assert client.resume_schedule(id)["status"] == "active"
    assert client.change_schedule(id, cron="0 10 * * *")["cron"] == "0 10 * * *"
    assert client.run_schedule(id)["message"] == {"report": "daily"}
    past = datetime.fromtimestamp(FakeClock().now_ms() / 1000, UTC)
    span = client.backfill_schedule(id, from_=past - timedelta(days=3), to=past, dry_run=True)
    assert span["would_make"] == 3
    assert client.get_schedule(id)["next_runs"]
    assert client.delete_schedule(id)["id"] == id
    with pytest.raises(NotFound):
        client.get_schedule(id)


def test_a_schedule_of_an_own_id_is_put_as_often_as_one_likes(client: Client) -> None:
    for _ in range(2):
        assert client.put_schedule("every-hour", "tick", every=timedelta(hours=1))["every"] == "1h"


def test_a_flow_key(client: Client) -> None:
    client.send("x", delay=60, flow={"key": "tenant-1", "concurrency": 2})
    assert [flow["key"] for flow in client.flows()] == ["tenant-1"]
    assert client.pin_flow("tenant-1", rate=5, period="1m")["limits"]["rate"] == 5
    assert client.pause_flow("tenant-1", delay=timedelta(minutes=5))["paused_until"]
    assert client.resume_flow("tenant-1")["paused"] is False
    assert client.reset_flow("tenant-1")["in_flight"] == 0
    assert client.unpin_flow("tenant-1")["limits"]["rate"] is None
    assert client.get_flow("tenant-1")["scheduled"] == 1


def test_a_word_of_python_has_a_line_behind_it(client: Client) -> None:
    runs = client.preview_schedule(cron="0 9 * * *", from_=datetime(2027, 3, 1, tzinfo=UTC), count=2)["runs"]
    assert [run["at"] for run in runs] == ["2027-03-01T09:00:00.000Z", "2027-03-02T09:00:00.000Z"]


def test_the_whole_service(client: Client) -> None:
    assert client.pause() == {"paused": True}
    assert client.stats()["paused"] is True
    assert client.resume() == {"paused": False}


def test_a_repeat_with_a_key_stores_once(client: Client) -> None:
    ids = {client.send("x", idempotency_key="order-4711")["id"] for _ in range(2)}
    assert len(ids) == 1
    with pytest.raises(Conflict):
        client.send("y", idempotency_key="order-4711")


def test_an_own_id_goes_without_a_key(client: Client) -> None:
    assert client.send("x", id="order-4711")["id"] == "order-4711"
    client.send_many([{"message": 1, "id": "a"}])
    with pytest.raises(Conflict):
        client.send("x", id="order-4711")


def refused_by_the_type_checker(client: Client) -> None:
    """Read by mypy, which complains about an ignore that is not needed; never called."""
    client.send("x", dealy=5)  # type: ignore[call-arg]
    client.send("x", priority="urgent")  # type: ignore[arg-type]
    client.send_many([{"delay": 5}])  # type: ignore[typeddict-item]
    client.messages(status="lost")  # type: ignore[arg-type]
    client.get("id")["due"]  # type: ignore[misc]  # an answer has no such field
    client.get(5)  # type: ignore[arg-type]


class TestErrors:
    def test_name_the_field_and_the_reason(self, client: Client) -> None:
        with pytest.raises(BadRequest) as caught:
            client.send_many([{"message": 1}, {"message": 2, "delay": "soon"}])
        assert caught.value.status == 400
        assert caught.value.title == "Bad Request"
        assert caught.value.field == "messages.1.delay"
        assert caught.value.reason
        assert caught.value.reason in caught.value.detail
        assert [fault.field for fault in caught.value.faults] == ["messages.1.delay"]

    def test_without_a_field_the_reason_is_the_detail(self, client: Client) -> None:
        with pytest.raises(NotFound) as caught:
            client.get("nobody")
        assert caught.value.field is None
        assert caught.value.reason == caught.value.detail

    def test_leave_a_process(self, client: Client) -> None:
        """As those of a handler do that runs in a pool of processes."""
        with pytest.raises(BadRequest) as caught:
            client.send("x", delay="soon")
        caught.value.retry_after = 3.0
        for made in (pickle.loads(pickle.dumps(caught.value)), copy.deepcopy(caught.value)):
            assert type(made) is BadRequest
            assert str(made) == str(caught.value)
            assert (made.faults, made.tries, made.retry_after) == (caught.value.faults, 1, 3.0)

    def test_a_token(self, clock: FakeClock) -> None:
        api = Api(clock, {"api": {"auth_token": "secret"}})
        with pytest.raises(Unauthorized):
            client_of(api, "wrong").stats()
        assert client_of(api, "secret").stats()["paused"] is False


def test_the_asynchronous_client_does_the_same(api: Api) -> None:
    async def scenario() -> None:
        http = httpx.AsyncClient(transport=InThread(api))
        async with AsyncClient("http://localhost", http=http) as client:
            sent = await client.send("x", delay=60)
            await client.send_many([{"message": 1, "delay": 61}, {"message": 2, "delay": 62}])
            assert [message["message"] async for message in client.messages(limit=2)] == ["x", 1, 2]
            assert (await client.cancel(sent["id"]))["status"] == "cancelled"
            with pytest.raises(Conflict):
                await client.run(sent["id"])
        await http.aclose()

    asyncio.run(scenario())
