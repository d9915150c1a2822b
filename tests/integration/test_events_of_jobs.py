"""``/api/ws``: events of jobs for the clients of ``/api/jobs``, on the event port and through a real nginx."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from websockets.exceptions import InvalidStatus
from werkzeug.serving import make_server

from scheduler.clock import SystemClock
from scheduler.jobs import load
from scheduler.message import NOW, Outcome
from scheduler.store import Changes
from tests.support.api import Api
from tests.support.events import SECONDS, Live, Viewer
from tests.support.nginx import documented, nginx
from tests.support.store import take
from tests.support.waiting import free_port

MOVING = Path(__file__).parents[2] / "docs" / "moving.md"
PATH = "/api/ws"


@pytest.fixture
def live(redis_url: str, redis_client: redis.Redis) -> Iterator[Live]:
    with Live(redis_url) as live:
        yield live


def one(viewer: Viewer) -> dict[str, Any]:
    """The next frame."""
    found: dict[str, Any] = json.loads(viewer.connection.recv(SECONDS))
    return found


def settle(live: Live, kind: Any, **more: Any) -> None:
    live.store.settle([Outcome(claim, kind, **more) for claim in take(live.store, 10, 60_000).claims])


def watched(live: Live) -> None:
    """Block until a viewer gets what happens from now on: nothing is sent that would say so."""
    with live.viewer():
        pass


def test_each_step_of_a_job_in_the_old_words(live: Live) -> None:
    with live.connect(path=PATH) as viewer:
        viewer.connection.send("what a client says is ignored")
        watched(live)
        live.add()  # an echo message is no job
        settle(live, "ack")
        (id,) = live.add(channel="job")
        settle(live, "retry", delay_ms=1500)
        live.store.update(id, Changes(due_at=NOW))
        settle(live, "dead")
        live.store.redrive(id)
        settle(live, "ack")
        (other,) = live.add(channel="job")
        live.store.cancel(other)
        words = ["queued", "active", "retrying", "queued", "active", "failed", "queued", "active", "completed"]
        got = [one(viewer) for _ in range(len(words) + 2)]
    assert got.pop(2) == {"job_id": id, "status": "retrying", "retry_in": 1.5}
    words.remove("retrying")
    assert got[:-2] == [{"job_id": id, "status": word} for word in words]
    assert got[-2:] == [{"job_id": other, "status": "queued"}, {"job_id": other, "status": "cancelled"}]


def test_a_token_is_needed_where_one_is_set(redis_url: str, redis_client: redis.Redis) -> None:
    with Live(redis_url, api={"auth_token": "secret-token"}) as live:
        with pytest.raises(InvalidStatus, match="401"), live.connect(path=PATH):
            pass
        with live.connect(path=PATH, headers={"Authorization": "secret-token"}):
            pass


def test_a_proxy_puts_it_on_the_port_of_the_api(live: Live, tmp_path: Path) -> None:
    load(live.settings.jobs.module_names)
    api = Api(SystemClock(), store=live.store)
    server = make_server("127.0.0.1", 0, api.app)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    ports = {8000: port, 3000: server.port, 3001: live.server.port or 0}
    try:
        with (
            nginx(tmp_path, documented(MOVING, f"= {PATH}"), ports),
            live.connect(path=PATH, port=port, origin=f"http://127.0.0.1:{port}") as viewer,
        ):
            watched(live)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            job = json.dumps({"type": "send_email", "payload": {"to": "a@example.com"}, "user_id": "u"})
            connection.request("POST", "/api/jobs", job, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 201
            assert one(viewer) == {"job_id": json.load(answer)["_id"], "status": "queued"}
            connection.close()
    finally:
        server.shutdown()
        server.server_close()
