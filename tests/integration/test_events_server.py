"""Live events over real sockets and a real Redis, from the script that makes them to the viewer that reads them."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from websockets.exceptions import InvalidStatus

from scheduler.errors import StartError
from scheduler.events import server as event_server
from scheduler.message import Outcome
from scheduler.store import Changes
from tests.support.events import Live, Viewer, deaf_socket
from tests.support.redis_server import RedisServer
from tests.support.store import take
from tests.support.waiting import free_port, wait_for

TOKEN = "s3cret/+~token"
HANDSHAKE = (
    b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
"""Of a viewer that never answers anything."""


@pytest.fixture
def live(redis_url: str, redis_client: redis.Redis) -> Iterator[Live]:
    with Live(redis_url) as live:
        yield live


def claim_all(live: Live) -> list[Any]:
    return take(live.store, 1000, 60_000).claims


def millisecond(event: dict[str, Any]) -> str:
    """When Redis wrote it."""
    return str(event["event_id"]).split("-")[1]


class TestWhatIsSent:
    def test_a_greeting_with_the_name_of_the_server(self, live: Live) -> None:
        with live.connect() as viewer:
            assert viewer.hello() == {"type": "hello", "server": "here", "resumed": False}

    def test_every_transition_in_order(self, live: Live) -> None:
        with live.viewer() as viewer:
            (id,) = live.add()
            live.store.update(id, Changes(payload="2"))
            for kind in ("release", "retry", "dead"):
                live.store.settle([Outcome(claim, kind, delay_ms=0) for claim in claim_all(live)])
            live.store.redrive(id)
            live.store.settle([Outcome(claim, "ack") for claim in claim_all(live)])
            (other,) = live.add()
            live.store.cancel(other)
            names = viewer.names(13)
        assert names == [
            "scheduled", "updated", "claimed", "released", "claimed", "retried", "claimed", "dead", "redriven",
            "claimed", "delivered", "scheduled", "cancelled",
        ]  # fmt: skip
        first = viewer.events[0]
        assert (first["type"], first["id"], first["channel"], first["attempt"]) == ("event", id, "echo", 0)
        assert len({event["event_id"] for event in viewer.events}) == 13
        assert [event["attempt"] for event in viewer.events[2:8]] == [1, 1, 1, 1, 2, 2]

    def test_all_viewers_get_the_same(self, live: Live) -> None:
        with live.viewer() as one, live.viewer() as other:
            live.add(250)
            assert one.wait(250) == other.wait(250)

    def test_a_message_that_is_due_somewhere_else_is_shown_too(self, live: Live, redis_url: str) -> None:
        with Live(redis_url, "there") as there, live.viewer() as viewer:
            there.add()
            assert viewer.names(1) == ["scheduled"]

    def test_several_partitions(self, redis_url: str, redis_client: redis.Redis) -> None:
        with Live(redis_url, redis={"partitions": 4}) as live, live.viewer() as viewer:
            ids = [id for n in range(20) for id in live.add(3, partition=n % 4)]
            shown = [event["id"] for event in viewer.wait(60)]
        for partition in range(4):
            mine = [id for id in ids if live.store.partition_of(id) == partition]
            assert len(mine) == 15
            assert [id for id in shown if live.store.partition_of(id) == partition] == mine


class TestFilters:
    def test_by_status_channel_and_id(self, live: Live) -> None:
        with (
            live.viewer("status=processing,dead") as processing,
            live.viewer("channel=job") as jobs,
            live.viewer("channel=job&channel=webhook&status=scheduled") as two,
        ):
            (echo,) = live.add()
            (job,) = live.add(channel="job")
            (webhook,) = live.add(channel="webhook")
            assert [event["id"] for event in two.wait(2)] == [job, webhook]
            with live.viewer(f"id={job},{webhook}") as mine:
                claims = claim_all(live)
                live.store.settle([Outcome(claim, "ack") for claim in claims])
                assert [(event["id"], event["event"]) for event in sorted(mine.wait(4), key=lambda e: e["id"])] == [
                    (id, event) for id in sorted([job, webhook]) for event in ("claimed", "delivered")
                ]
            assert {event["id"] for event in processing.wait(3)} == {echo, job, webhook}
            assert jobs.names(3) == ["scheduled", "claimed", "delivered"]
            live.store.cancel(live.add(channel="webhook")[0])
            assert two.names(3) == ["scheduled"] * 3


class TestResume:
    def test_goes_on_exactly_after_the_event(self, live: Live) -> None:
        with live.viewer() as viewer:
            live.add(5)
            seen = viewer.wait(5)
        claims = claim_all(live)
        with live.connect(f"last_event_id={seen[2]['event_id']}") as viewer:
            assert viewer.hello()["resumed"] is True
            assert viewer.wait(7)[:2] == seen[3:]
            live.store.settle([Outcome(claim, "ack") for claim in claims])
            assert viewer.names(12)[2:] == ["claimed"] * 5 + ["delivered"] * 5

    def test_on_another_server_and_through_a_filter(self, live: Live, redis_url: str) -> None:
        with live.viewer() as viewer:
            live.add()
            last = viewer.wait(1)[0]["event_id"]
        live.add(3)
        (job,) = live.add(channel="job")
        with Live(redis_url, "there") as there, there.viewer(f"last_event_id={last}&channel=job") as viewer:
            assert [event["id"] for event in viewer.wait(1)] == [job]

    def test_of_much_while_more_happens(self, live: Live) -> None:
        with live.viewer() as viewer:
            live.add()
            last = viewer.wait(1)[0]["event_id"]
        ids = [id for _ in range(30) for id in live.add(100)]
        with live.viewer(), live.viewer(f"last_event_id={last}") as viewer:
            ids += [id for _ in range(30) for id in live.add(100)]
            assert [event["id"] for event in viewer.wait(6000)] == ids

    def test_over_partitions_nothing_is_missing(self, redis_url: str, redis_client: redis.Redis) -> None:
        with Live(redis_url, redis={"partitions": 4}) as live:
            with live.viewer() as viewer:
                for _ in range(20):
                    live.add()
                seen = viewer.wait(20)
            later = [id for _ in range(20) for id in live.add()]
            with live.viewer(f"last_event_id={seen[9]['event_id']}") as viewer:
                got: dict[str, str] = {}
                while not got.keys() >= {*(event["id"] for event in seen[10:]), *later}:
                    viewer.receive()
                    got.update((event["id"], event["event_id"]) for event in viewer.events)
                # What comes again is of the same millisecond, and bears the same event_id.
                again = [event for event in seen[:10] if event["id"] in got]
                assert all(got[event["id"]] == event["event_id"] for event in again)
                assert {millisecond(event) for event in again} <= {millisecond(seen[9])}

    def test_what_is_no_longer_kept_is_told_as_a_gap(self, redis_url: str, redis_client: redis.Redis) -> None:
        with Live(redis_url, events={"kept": 100}) as live:
            with live.viewer() as viewer:
                live.add()
                last = viewer.wait(1)[0]["event_id"]
            for _ in range(300):
                live.add()
            with live.connect(f"last_event_id={last}") as viewer:
                assert viewer.hello()["resumed"] is False
                viewer.receive()
                assert (viewer.gaps, viewer.events) == (1, [])
                (id,) = live.add()
                assert [event["id"] for event in viewer.wait(1)] == [id]


class TestAdmission:
    def refused(self, live: Live, query: str = "", **more: Any) -> tuple[int, str]:
        with pytest.raises(InvalidStatus) as raised, live.connect(query, **more):
            pass
        response = raised.value.response
        return response.status_code, (response.body or b"").decode()

    def test_the_token(self, redis_url: str, redis_client: redis.Redis) -> None:
        coded = base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
        with Live(redis_url, api={"auth_token": TOKEN}) as live:
            assert self.refused(live)[0] == 401
            assert self.refused(live, headers={"Authorization": "Bearer wrong"})[0] == 401
            assert self.refused(live, subprotocols=["events.v1", "bearer.d3Jvbmc"])[0] == 401
            for text in (TOKEN, f"Bearer {TOKEN}"):
                with live.viewer(headers={"Authorization": text}):
                    pass
            with live.viewer(subprotocols=["events.v1", f"bearer.{coded}"]) as browser:
                assert browser.connection.subprotocol == "events.v1"

    def test_the_page_that_asks(self, live: Live) -> None:
        status, text = self.refused(live, origin="https://evil.example.com")
        assert (status, "Events.AllowedOrigins" in text) == (403, True)
        with live.viewer(origin="http://localhost:3000"):
            pass

    @pytest.mark.parametrize("query", ["status=lost", "colour=red", "last_event_id=7"])
    def test_a_question_that_makes_no_sense(self, live: Live, query: str) -> None:
        status, text = self.refused(live, query)
        assert (status, "accepted:" in text) == (400, True)

    def test_so_many_viewers_and_no_more(self, redis_url: str, redis_client: redis.Redis) -> None:
        with Live(redis_url, events={"max_viewers": 2}) as live:
            with live.viewer(), live.viewer():
                assert self.refused(live)[0] == 503
            wait_for("both are gone", lambda: live.server.viewers == 0)
            with live.viewer():
                pass

    def test_http_that_is_no_websocket(self, live: Live) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", live.server.port or 0, timeout=10)
        connection.request("GET", "/v1/events")
        assert connection.getresponse().status == 426
        connection.close()

    def test_viewers_only_listen(self, live: Live) -> None:
        with live.viewer() as viewer:
            viewer.connection.send("hello?")
            assert viewer.closed() == (1008, "viewers only listen")
        with live.viewer() as viewer:
            viewer.connection.send("x" * 2000)
            assert viewer.closed().code == 1009


class TestSlowViewers:
    def test_is_closed_with_a_reason_and_nobody_else_notices(self, redis_url: str, redis_client: redis.Redis) -> None:
        with Live(redis_url, events={"buffer_bytes": 1024}) as live, live.viewer() as quick:
            deaf = deaf_socket(live.server.port or 0)
            with live.connect(sock=deaf, max_queue=1) as slow:
                slow.hello()
                ids: list[str] = []
                while not live.server._closing:
                    assert len(ids) < 20_000, "whoever reads nothing is never closed"
                    ids += live.add(100)
                    quick.wait(len(ids))
                assert slow.closed() == (1013, "too slow: more than 1024 bytes behind; go on with last_event_id")
                last = slow.events[-1]["event_id"]
                assert 0 < len(slow.events) < len(ids)
            with live.viewer(f"last_event_id={last}") as again:
                rest = again.wait(len(ids) - len(slow.events))
                assert [event["id"] for event in [*slow.events, *rest]] == ids

    def test_one_that_is_gone_without_a_word_is_dropped(
        self, redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_server, "CLOSE_SECONDS", 0.1)
        with Live(redis_url, events={"ping_seconds": 1}) as live, deaf_socket(live.server.port or 0) as silent:
            silent.sendall(HANDSHAKE)
            wait_for("it watches", lambda: live.server.viewers == 1)
            wait_for("it is dropped", lambda: live.server.viewers == 0)

    def test_many_viewers(self, live: Live) -> None:
        with ExitStack() as stack:
            viewers: list[Viewer] = [stack.enter_context(live.viewer()) for _ in range(100)]
            filtered = [stack.enter_context(live.viewer("status=dead")) for _ in range(20)]
            ids = [id for _ in range(100) for id in live.add(2)]
            for viewer in viewers:
                assert [event["id"] for event in viewer.wait(200)] == ids
                # Not one frame for each call: what happens within a moment is put together.
                assert viewer.frames < 100
            live.store.settle([Outcome(claim, "dead") for claim in claim_all(live)[:1]])
            assert [viewer.names(1) for viewer in filtered] == [["dead"]] * 20


class TestRedis:
    def test_nobody_watches_nothing_is_asked(self, live: Live, redis_client: redis.Redis) -> None:
        with live.viewer() as viewer:
            live.add()
            viewer.wait(1)
        wait_for("nobody reads any more", lambda: live.server._hub.positions is None)
        redis_client.config_resetstat()
        for _ in range(50):
            live.add()
        asked = redis_client.info("commandstats")
        assert not {name for name in asked if "xread" in name or "xinfo" in name}

    def test_away_and_back_again(self, short_tmp: Path) -> None:
        with RedisServer(short_tmp, "--appendonly", "yes") as server, Live(server.url) as live, live.viewer() as viewer:
            (first,) = live.add()
            viewer.wait(1)
            server.kill()
            with live.viewer() as late:
                server.start()
                (second,) = live.add()
                assert [event["id"] for event in viewer.wait(2)] == [first, second]
                assert [event["id"] for event in late.wait(1)] == [second]

    def test_who_comes_first_while_redis_is_away_is_told_to_come_back(self, short_tmp: Path) -> None:
        with RedisServer(short_tmp) as server, Live(server.url) as live:
            server.kill()
            with live.connect() as viewer:
                assert viewer.closed() == (1013, "Redis does not answer: try again")
            server.start()
            with live.viewer() as viewer:
                live.add()
                assert viewer.names(1) == ["scheduled"]


class TestPort:
    def test_taken_by_another_server_it_is_taken_over(
        self, redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_server, "REBIND_SECONDS", 0.02)
        port = free_port()
        with (
            Live(redis_url, "first", events={"port": port}) as first,
            Live(redis_url, "second", events={"port": port}) as second,
        ):
            assert (first.server.port, second.server.port) == (port, None)
            second.log.wait_for("is in use")
            first.server.stop()
            wait_for("the second one has it", lambda: second.server.port == port)
            with second.connect() as viewer:
                assert viewer.hello()["server"] == "second"

    def test_stopped_while_it_waits(self, redis_url: str, redis_client: redis.Redis) -> None:
        port = free_port()
        with Live(redis_url, events={"port": port}), Live(redis_url, events={"port": port}) as second:
            second.server.stop()
            assert second.server.port is None

    def test_an_address_that_cannot_be_used(self, redis_url: str) -> None:
        live = Live(redis_url, server={"host": "192.0.2.1"})
        with pytest.raises(StartError, match=r"Cannot listen on 192\.0\.2\.1:0 .* Events\.Enabled"):
            live.server.start()
        live.store.close()


class TestStop:
    def test_viewers_are_told(self, live: Live) -> None:
        with live.viewer() as viewer:
            live.server.stop()
            assert viewer.closed() == (1001, "this server stops")
        live.server.stop()

    def test_who_does_not_listen_holds_nobody_up(
        self, redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_server, "STOP_SECONDS", 0.1)
        monkeypatch.setattr(event_server, "CLOSE_SECONDS", 3600)
        with Live(redis_url) as live, deaf_socket(live.server.port or 0) as deaf:
            deaf.sendall(HANDSHAKE)
            wait_for("it watches", lambda: live.server.viewers == 1)
            live.server.stop()
            assert live.server.viewers == 0

    def test_who_was_not_greeted_yet_holds_nobody_up(self, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
        """The listener was stopped before it read anything: the viewer waited for it, and the stop for the viewer."""
        assert live.server._listener
        monkeypatch.setattr(live.server._listener, "wake", lambda: None)
        with live.connect() as viewer:
            wait_for("it is there", lambda: live.server.viewers == 1)
            live.server.stop()
            assert viewer.closed().reason == "this server stops"

    def test_without_start(self, redis_url: str) -> None:
        live = Live(redis_url)
        live.server.stop()
        live.store.close()


def test_an_answer_is_json_text(live: Live) -> None:
    with live.connect() as viewer:
        assert isinstance(json.loads(viewer.connection.recv(10, decode=True)), dict)
