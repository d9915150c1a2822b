"""While Redis loads its data, the console and HTTP say how far it is; then the service runs."""

from __future__ import annotations

import http.client
import json
from contextlib import closing, suppress
from pathlib import Path

from tests.support.redis_server import RedisServer
from tests.support.service import Service
from tests.support.waiting import free_port, wait_for

SLOWLY = ("--key-load-delay", "700", "--loading-process-events-interval-bytes", "1024")
"""Microseconds per key; and how often Redis answers meanwhile."""


def test_a_start_says_how_far_redis_is(short_tmp: Path) -> None:
    with RedisServer(short_tmp) as filled, filled.client() as client:
        client.mset({f"other:{n}": "x" * 100 for n in range(10_000)})
        client.save()
    port = free_port()
    redis = RedisServer(short_tmp, *SLOWLY)
    service = Service(short_tmp / "service", redis_url=redis.url, env={"PORT": str(port)})
    redis.launch()
    try:
        service.launch()
        told = wait_for("a request is told how far Redis is", lambda: health(port, "loading"), 30)
        assert told.startswith("Redis is loading its data: ")
        assert " % of " in told
        service.stderr.wait_for("Redis is loading its data: ")
        wait_for("the service is well", lambda: health(port, "server is ok!"), 60)
        assert service.stop() == 0
    finally:
        redis.kill()


def health(port: int, words: str) -> str | None:
    """What /health says when it says these words."""
    with suppress(OSError, http.client.HTTPException), closing(http.client.HTTPConnection("127.0.0.1", port)) as client:
        client.request("GET", "/health")
        message = str(json.loads(client.getresponse().read())["message"])
        return message if words in message else None
    return None
