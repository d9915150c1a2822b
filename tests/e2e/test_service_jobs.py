"""Jobs in the real service: handlers of the user's own module, a stop that a handler ignores, limits, history."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.service import Service
from tests.support.waiting import free_port, wait_for

HANDLERS = """
import threading
from pathlib import Path
from scheduler.jobs import handler

FOLDER = Path(__file__).parent

@handler("add")
def add(payload, context):
    return sum(payload)

@handler("break")
def broken(payload, context):
    return payload["nothing"]

@handler("deaf")
def deaf(payload, context):
    if (FOLDER / "begun").exists():
        return context.attempt
    (FOLDER / "begun").touch()
    lock = threading.Lock()
    with lock:
        lock.acquire()
"""


@pytest.fixture
def env(short_tmp: Path) -> dict[str, str]:
    (short_tmp / "my_handlers.py").write_text(HANDLERS)
    return {"PYTHONPATH": str(short_tmp), "JOBS__MODULES": "my_handlers", "SCHEDULER__GRACESECONDS": "0.5"}


def submit(service: Service, type: str, payload: object = None, **more: object) -> str:
    answer = service.post("/v1/messages", {"message": payload, "job": {"type": type}, **more})
    assert answer.status == 201, answer
    return str(answer.json()["id"])


def wait_until(service: Service, id: str, status: str) -> dict[str, object]:
    def probe() -> dict[str, object] | None:
        message: dict[str, object] = service.get(f"/v1/messages/{id}").json()
        return message if message["status"] == status else None

    return wait_for(f"{id} is {status}", probe)


def test_results_and_tracebacks_survive_a_kill_of_everything(short_tmp: Path, env: dict[str, str]) -> None:
    service = Service(short_tmp, env=env)
    with service:
        good = submit(service, "add", [1, 2])
        bad = submit(service, "break", {}, retry={"max_attempts": 2, "base": 0})
        wait_until(service, good, "delivered")
        wait_until(service, bad, "dead")
        service.kill()
    with service:
        assert wait_until(service, good, "delivered")["result"] == 3
        attempts = wait_until(service, bad, "dead")["attempts"]
        assert isinstance(attempts, list)
        assert [attempt["attempt"] for attempt in attempts] == [1, 2]
        assert all("KeyError: 'nothing'" in attempt["traceback"] for attempt in attempts)
        listed = service.get("/v1/messages?channel=job&status=dead&type=break&since=2020-01-01T00:00:00Z").json()
        assert [message["id"] for message in listed["messages"]] == [bad]
        assert service.stop() == 0


def test_a_handler_that_cannot_be_stopped_does_not_keep_the_process(short_tmp: Path, env: dict[str, str]) -> None:
    service = Service(short_tmp, env=env)
    with service:
        id = submit(service, "deaf")
        wait_for("it has begun", (short_tmp / "begun").exists)
        assert service.stop() == 0
    with service:
        assert wait_until(service, id, "delivered")["result"] == 2  # it had begun: a higher attempt
        assert service.stop() == 0


def test_a_module_that_cannot_be_imported_stops_the_start(short_tmp: Path, env: dict[str, str]) -> None:
    service = Service(short_tmp, env=env | {"JOBS__MODULES": "my_handlers,not_there"})
    assert service.launch().wait() == 2
    (said,) = service.stderr.texts()
    assert said.startswith("Jobs.Modules: not_there cannot be imported (ModuleNotFoundError: ")


def test_the_limit_of_a_user_holds_over_all_api_processes(short_tmp: Path, env: dict[str, str]) -> None:
    env |= {"SERVER__APIPROCESSES": "2", "JOBS__RATELIMITPERUSER": "5/hour"}
    with Service(short_tmp, env=env | {"PORT": str(free_port())}) as service:
        body = {"type": "add", "payload": {}, "user_id": "u1"}
        answers = [service.post("/api/jobs", body) for _ in range(8)]
        assert [answer.status for answer in answers] == [201] * 5 + [429] * 3
        assert 3000 < int(answers[-1].headers["retry-after"]) <= 3600
        assert service.stop() == 0
