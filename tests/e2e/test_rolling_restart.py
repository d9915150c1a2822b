"""One of two servers behind a real nginx is restarted under load: no request fails, no message is lost or doubled.

``ROLLING_SECONDS=60`` restarts one after the other for a minute; without it one is restarted once.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.nginx import nginx
from tests.support.programs import need
from tests.support.redis_server import RedisServer
from tests.support.service import Service, printed
from tests.support.waiting import free_port, wait_for

TWO_SERVERS = """
upstream scheduler_http {
    # One that refuses connections is left out for a second, and the request goes to the other one.
    server 127.0.0.1:3000 max_fails=1 fail_timeout=1s;
    server 127.0.0.1:3010 max_fails=1 fail_timeout=1s;
    keepalive 32;
}
server {
    listen 127.0.0.1:8080;
    location / {
        proxy_pass http://scheduler_http/;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
    }
}
"""
"""As docs/nginx.conf, without TLS and path."""

SECONDS = float(os.environ.get("ROLLING_SECONDS", "0"))
CLIENTS = 4
PAUSE = 0.04
"""Seconds between two requests of a client: 100 requests/s in all."""


class Load:
    """Clients that send messages over kept connections, one request after the other."""

    def __init__(self, port: int) -> None:
        self.sent: list[str] = []
        """Texts of the messages that were accepted."""
        self.failed: list[str] = []
        self._port = port
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[Load]:
        threads = [threading.Thread(target=self._client, args=(name,)) for name in "abcd"[:CLIENTS]]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(30)

    def _client(self, name: str) -> None:
        number = 0
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)) as connection:
            while not self._stop.wait(PAUSE):
                number += 1
                text = f"{name}{number}"
                try:
                    connection.request("POST", "/v1/messages", json.dumps({"message": text}), _JSON)
                    answer = connection.getresponse()
                    body = answer.read().decode()
                except (OSError, http.client.HTTPException) as error:
                    self.failed.append(f"{text}: {error!r}")
                    connection.close()
                    continue
                if answer.status == 201:
                    self.sent.append(text)
                else:
                    self.failed.append(f"{text}: {answer.status} {body}")

    def wait_for_more(self, count: int) -> None:
        """Block until so many more were accepted."""
        until = len(self.sent) + count
        wait_for(f"{count} more accepted; failed: {self.failed[:3]}", lambda: len(self.sent) >= until, 30)


_JSON = {"Content-Type": "application/json"}


def restart(service: Service) -> list[tuple[int, str]]:
    """Stop it with a signal and start it again; what its /health said in between."""
    said: list[tuple[int, str]] = []
    service.send(15)
    while service.process.poll() is None:
        answer = service.get("/health")
        if answer.status:
            said.append((answer.status, answer.json()["message"]))
        threading.Event().wait(0.02)
    assert service.wait() == 0
    service.start()
    return said


def test_no_request_fails_while_a_server_is_restarted(short_tmp: Path) -> None:
    need("nginx")
    ports, front = (free_port(), free_port()), free_port()
    with (
        RedisServer(short_tmp) as redis,
        Service(short_tmp / "a", redis_url=redis.url, env=environment(ports[0])) as a,
        Service(short_tmp / "b", redis_url=redis.url, env=environment(ports[1])) as b,
        nginx(short_tmp, TWO_SERVERS, {8080: front, 3000: ports[0], 3010: ports[1]}),
        Load(front).running() as load,
    ):
        until = time.monotonic() + SECONDS
        load.wait_for_more(50)
        for service in itertools.cycle((a, b)):
            said = restart(service)
            assert said[-1] == (503, "stopping")
            load.wait_for_more(50)
            if time.monotonic() >= until:
                break
        wait_for("all delivered", lambda: len(a.stdout.lines) + len(b.stdout.lines) >= len(load.sent))
    delivered = printed([*a.stdout.texts(), *b.stdout.texts()])
    assert load.failed == []
    assert sorted(delivered) == sorted(load.sent)


def environment(port: int) -> dict[str, str]:
    return {"PORT": str(port), "SERVER__DRAINSECONDS": "1"}
