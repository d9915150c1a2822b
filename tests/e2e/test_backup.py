"""The drill of docs/production.md: its commands, on the private Redis of a service that runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.redis_server.private import socket_path
from tests.support.endpoint import Endpoint
from tests.support.service import ROOT, Service
from tests.support.waiting import wait_for

PAGE = (ROOT / "docs" / "production.md").read_text("utf-8")

CLI = """#!{python}
import sys
import redis

assert sys.argv[1] == "-s", sys.argv
client = redis.Redis(unix_socket_path={socket!r} if sys.argv[2] == "data/redis.sock" else sys.argv[2])
answer = client.execute_command(*sys.argv[3:])
if isinstance(answer, dict):
    answer = "\\n".join(f"{{name}}:{{value}}" for name, value in answer.items())
print(answer)
"""
"""What the commands need of redis-cli, which not every machine has."""


def commands(title: str) -> list[str]:
    """The shell blocks under a heading."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def service(short_tmp: Path) -> Iterator[Service]:
    """A service whose folder has a ``data/``, as the page's commands have it."""
    env = {"WEBHOOK__ALLOWPRIVATENETWORKS": "true", "PYTHONPATH": str(ROOT)}
    with Service(short_tmp, env=env) as service:
        yield service


def run(service: Service, script: str) -> None:
    folder = service.data.parent
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    cli = programs / "redis-cli"
    cli.write_text(CLI.format(python=sys.executable, socket=str(socket_path(service.data.absolute()))))
    cli.chmod(0o755)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=env, check=True, timeout=30)


def message(service: Service, id: str) -> Any:
    return service.get(f"/v1/messages/{id}").json()


def test_a_backup_taken_while_running_repeats_what_came_after_it_under_the_same_attempt(service: Service) -> None:
    take, restore, look = commands("Backup and restore")
    variable, _, value = look.split()[0].partition("=")
    with Endpoint() as endpoint:
        hook = {"url": endpoint.url("/hook")}
        (done,) = service.schedule([{"message": "done before the backup", "id": "before"}])
        wait_for("delivered", lambda: message(service, done)["status"] == "delivered")
        service.schedule([{"message": "waits", "id": "waits", "delay": "1h", "webhook": hook}])
        run(service, take)
        service.schedule([{"message": "accepted after the backup", "id": "after", "delay": "1h"}])
        service.post("/v1/messages/waits/run")
        wait_for("delivered", lambda: message(service, "waits")["status"] == "delivered")
        assert service.stop() == 0

        run(service, restore)
        service.start(**{variable: value})
        assert message(service, "before")["status"] == "delivered"
        assert message(service, "waits")["status"] == "scheduled", "as it was when the backup was taken"
        assert service.get("/v1/messages/after").status == 404, "gone, although its sender was told that it is stored"
        assert service.post("/v1/pause").status == 200
        assert service.stop() == 0

        service.start()
        service.post("/v1/messages/waits/run")
        assert len(endpoint.requests) == 1, "still paused"
        service.post("/v1/resume")
        wait_for("delivered again", lambda: message(service, "waits")["status"] == "delivered")
        first, again = endpoint.requests
        assert first.headers["webhook-id"] == again.headers["webhook-id"] == "waits"
        assert first.headers["scheduler-attempt"] == again.headers["scheduler-attempt"] == "1"


def test_a_second_server_beside_a_private_redis(service: Service, short_tmp: Path) -> None:
    (command,) = commands("A second server beside a private Redis")
    given = dict(word.split("=", 1) for word in command.split() if "=" in word)
    assert given["REDIS_URL"].endswith("/data/redis.sock")
    assert given["SERVER__ROLE"] == "worker"
    url = f"unix://{socket_path(service.data.absolute())}"
    service.post("/v1/pause")
    service.schedule([{"message": f"m{n}"} for n in range(300)])
    with Service(short_tmp / "second", redis_url=url, role="worker") as second:
        service.post("/v1/resume")
        wait_for("each was printed", lambda: len(service.stdout.lines) + len(second.stdout.lines) >= 300)
        second.stop()
    assert len(service.stdout.lines) + len(second.stdout.lines) == 300, "each by one of the two"
