"""``tail`` over real sockets: filters, where it goes on, and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import redis

from scheduler.cli import tail
from scheduler.cli.exits import Exit
from tests.support.cli import Done, answered_by, beside, cli
from tests.support.events import Live
from tests.support.waiting import free_port, wait_for


@pytest.fixture
def live(redis_url: str, redis_client: redis.Redis) -> Iterator[Live]:
    with Live(redis_url) as live:
        yield live


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What ``/v1/stats`` says of where events are, one after the other; the last one stays."""
    found: list[str | None] = []

    def stats(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"events_url": found.pop(0) if len(found) > 1 else found[0]})

    answered_by(monkeypatch, httpx.MockTransport(stats))
    monkeypatch.setattr(tail, "PAUSE_SECONDS", 0.01)
    return found


def tailing(*arguments: str) -> Callable[[], Done]:
    return beside("tail", "--json", *arguments)


def events(done: Done) -> list[dict[str, Any]]:
    assert done.code == 0, done
    return [json.loads(line) for line in done.out.splitlines()]


def url(live: Live) -> str:
    return f"ws://127.0.0.1:{live.server.port}/v1/events"


def first_event(live: Live) -> str:
    """The id of an event that has happened."""
    with live.viewer() as viewer:
        live.add()
        viewer.wait(1)
        return str(viewer.events[0]["event_id"])


def test_it_goes_on_after_an_event_and_filters(live: Live, addresses: list[str | None]) -> None:
    addresses.append(url(live))
    event = first_event(live)
    ids = live.add(3)
    (found,) = events(tailing("--after", event, "--count", "1", "--id", ids[2])())
    assert (found["id"], found["event"]) == (ids[2], "scheduled")
    for id in ids:
        live.store.cancel(id)
    found, other = events(tailing("--after", event, "--count", "2", "--status", "cancelled", "--channel", "echo")())
    assert [found["id"], other["id"]] == ids[:2]


def test_a_server_that_stops_is_followed_by_another_and_nothing_is_missed(
    live: Live, redis_url: str, addresses: list[str | None]
) -> None:
    nobody = f"ws://127.0.0.1:{free_port()}/v1/events"
    with Live(redis_url, "there") as there:
        addresses.extend([url(there), nobody, url(live)])
        done = tailing("--after", first_event(live), "--count", "4")
        wait_for("the viewer", lambda: there.server.viewers == 1)
        ids = live.add(2)
        there.server.stop()
    ids += live.add(2)
    assert [event["id"] for event in events(done())] == ids


@pytest.mark.parametrize(
    ("address", "arguments", "code"),
    [
        (None, [], Exit.UNREACHABLE),
        ("ws://127.0.0.1:1/v1/events", [], Exit.UNREACHABLE),
        ("", ["--after", "nonsense"], Exit.USAGE),
    ],
)
def test_what_cannot_be_watched_ends_at_once(
    live: Live, addresses: list[str | None], address: str | None, arguments: list[str], code: Exit
) -> None:
    addresses.append(url(live) if address == "" else address)
    done = cli("tail", *arguments)
    assert done.code == code, done
    assert done.err
