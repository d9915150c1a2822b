"""One server that takes messages, two that deliver them, on one Redis: what each one shows."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from websockets.sync.client import connect
from websockets.typing import Origin

from tests.support.events import Viewer
from tests.support.redis_server import RedisServer
from tests.support.service import Service
from tests.support.waiting import wait_for


def test_workers_deliver_what_the_api_takes_and_the_api_knows_them_all(short_tmp: Path) -> None:
    with (
        RedisServer(short_tmp) as redis,
        Service(short_tmp / "api", redis_url=redis.url, role="api") as api,
        Service(short_tmp / "one", redis_url=redis.url, role="worker") as one,
        Service(short_tmp / "two", redis_url=redis.url, role="worker") as two,
    ):

        def stats() -> dict[str, Any]:
            found: dict[str, Any] = api.get("/v1/stats").json()
            return found

        wait_for("all three report", lambda: len(stats()["servers"]) == 3)
        shown = stats()
        assert sorted(server["role"] for server in shown["servers"]) == ["api", "scheduler", "scheduler"]
        assert {server["pid"] for server in shown["servers"]} >= {one.pid, two.pid}
        assert {(server["version"], server["in_flight"]) for server in shown["servers"]} == {("1.0.0", 0)}

        # The api shows no events itself: its page is sent to a worker that does.
        page = Origin(f"http://127.0.0.1:{api.port}")
        with connect(shown["events_url"], origin=page, proxy=None) as connection:
            viewer = Viewer(connection)
            viewer.hello()
            ids = api.schedule([{"message": f"m{number}"} for number in range(50)])
            events = viewer.wait(150)
            for id in ids:
                assert [e["event"] for e in events if e["id"] == id] == ["scheduled", "claimed", "delivered"]
            for worker in (one, two):
                worker.send(signal.SIGTERM)
            assert viewer.closed() == (1001, "this server stops")
        assert (one.wait(), two.wait()) == (0, 0)
        assert len(one.stdout.lines) + len(two.stdout.lines) == 50

        assert stats()["events_url"] is None
        assert [server["role"] for server in stats()["servers"]] == ["api"]


def test_an_api_alone_needs_a_redis_that_others_share(short_tmp: Path) -> None:
    service = Service(short_tmp, role="api").launch()
    assert service.wait() == 2
    assert any(
        "a private Redis is reached by the processes of its own server only" in line for line in service.stderr.texts()
    )
