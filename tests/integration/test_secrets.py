"""Planted secrets, looked for in all that the service writes, answers, tells its viewers and shows of itself."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from websockets.sync.client import connect

from tests.chaos.proxy import Proxy
from tests.support.events import Viewer
from tests.support.redis_server import RedisServer
from tests.support.service import Answer, Service
from tests.support.waiting import free_port, wait_for

TOKEN = "planted-api-token-5fJ2"
REDIS_PASSWORD = "planted-redis-password-8Kq1"
SIGNING = "whsec_" + base64.b64encode(b"planted-signing-secret-0000").decode()
TARGET_PASSWORD = "planted-target-password-3Lm9"
TARGET_HEADER = "planted-target-header-7Xc4"
TARGET_QUERY = "planted-target-query-2Vb6"
SECRETS = {
    "the API's token": TOKEN,
    "Redis's password": REDIS_PASSWORD,
    "the signing secret": SIGNING,
    "the password in a webhook's URL": TARGET_PASSWORD,
    "a webhook's header": TARGET_HEADER,
}
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def redis_server(short_tmp: Path) -> Iterator[RedisServer]:
    with RedisServer(short_tmp) as server:
        with server.client() as client:
            client.config_set("requirepass", REDIS_PASSWORD)
        yield server


@pytest.fixture
def service(short_tmp: Path, redis_server: RedisServer) -> Iterator[Service]:
    proxy = Proxy(redis_server.socket)
    environment = {
        "API_AUTH": TOKEN,
        "WEBHOOK__SECRETS": SIGNING,
        "WEBHOOK__ALLOWPRIVATENETWORKS": "true",
        "LOGS__LEVEL": "INFO",
    }
    service = Service(short_tmp / "s", redis_url=f"redis://:{REDIS_PASSWORD}@127.0.0.1:{proxy.port}/0", env=environment)
    with service:
        yield service
    proxy.close()


def found_in(where: str, text: str) -> list[str]:
    return [f"{name} in {where}" for name, secret in SECRETS.items() if secret in text]


def told(service: Service, message: str) -> dict[str, Answer]:
    """What each route that shows something answers."""
    routes = [
        "/",
        "/health",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/v1/stats",
        "/v1/messages",
        f"/v1/messages/{message}",
    ]
    routes += ["/stats", "/schedules", "/api/jobs", "/api/stats", "/nowhere", f"/v1/messages?cursor={TARGET_QUERY}"]
    return {route: service.request("GET", route, headers=AUTHORIZED) for route in routes}


def test_no_planted_secret_is_shown_anywhere(service: Service) -> None:
    url = f"http://user:{TARGET_PASSWORD}@127.0.0.1:{free_port()}/"
    webhook = {"url": url, "headers": {"Authorization": TARGET_HEADER, "X-Key": TARGET_HEADER}}
    body = {"message": "m", "webhook": webhook, "retry": {"max_attempts": 1}}
    answers = {"stats": service.request("GET", "/v1/stats", headers=AUTHORIZED)}
    with connect(answers["stats"].json()["events_url"], additional_headers=AUTHORIZED, proxy=None) as events:
        viewer = Viewer(events)
        shown = [viewer.hello()]
        answers["create"] = service.request("POST", "/v1/messages", body, AUTHORIZED)
        shown += viewer.wait(3)
    assert {event["event"] for event in shown[1:]} == {"scheduled", "claimed", "dead"}
    assert answers["create"].status == 201
    id = answers["create"].json()["id"]
    task = {"webhook": url, "ttl": 3600, "data": 1}
    answers["task"] = service.request("POST", "/schedule", task, AUTHORIZED)
    key = json.loads(answers["task"].text)["data"]
    answers["read task"] = service.request("GET", f"/schedule/{key}", headers=AUTHORIZED)
    wait_for("given up, nobody listens there", lambda: "dead id=" in "\n".join(service.log()))
    # Wrong in every way that could make somebody repeat what was sent.
    answers["bad"] = service.request(
        "POST", "/v1/messages", {**body, "webhook": {**webhook, "timeout": -1}}, AUTHORIZED
    )
    answers["unauthorized"] = service.request("GET", "/v1/stats", headers={"Authorization": f"Basic {TOKEN}x"})
    answers |= told(service, id)
    answers["dashboard"] = service.request("GET", "/", headers={"Accept": "text/html"})
    assert "<script" in answers["dashboard"].text
    scripts = re.findall(r'(?:src|href)="\.?(/assets/[^"]+)"', answers["dashboard"].text)
    assert scripts
    answers |= {path: service.request("GET", path) for path in scripts}
    seen = [leak for where, answer in answers.items() for leak in found_in(f"the answer to {where}", answer.text)]
    seen += found_in("an event", json.dumps(shown))
    processes = [psutil.Process(service.pid), *service.children()]
    for process in processes:
        seen += found_in(f"the command line of {process.name()}", " ".join(process.cmdline()))
    service.stop()
    for file in service.logs.rglob("*"):
        if file.is_file():
            seen += found_in(f"log {file.name}", file.read_text(errors="replace"))
    seen += found_in("stdout", "\n".join(service.stdout.texts()))
    seen += found_in("stderr", "\n".join(service.stderr.texts()))
    assert not seen
    assert service.log(), "nothing was logged: this test would see nothing"


def test_a_redis_that_refuses_the_password_is_reported_without_it(short_tmp: Path, redis_server: RedisServer) -> None:
    proxy = Proxy(redis_server.socket)
    wrong = Service(short_tmp / "w", redis_url=f"redis://:wrong{REDIS_PASSWORD}@127.0.0.1:{proxy.port}/0").launch()
    assert wrong.wait() == 1
    proxy.close()
    said = "\n".join(wrong.stderr.texts())
    assert "password" in said.lower()
    assert not found_in("stderr", said)
