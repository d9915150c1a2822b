"""The wheel in an environment without the checkout, started from an empty folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.package import build, install
from tests.support.service import Service, clean_environment
from tests.support.waiting import wait_for

HANDLER = """
from scheduler.jobs import handler

@handler("greet")
def greet(payload, context):
    return {"greeting": f"Hello {payload}"}
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of the environment."""
    folder = tmp_path_factory.mktemp("installed")
    _, wheel = build(folder)
    return install(wheel, folder / "venv")


def test_it_serves_from_an_empty_folder(programs: Path, short_tmp: Path) -> None:
    relative = {"REDIS__DATADIRECTORY": "data", "LOGS__DIRECTORY": "logs"}
    with Service(short_tmp, command=[str(programs / "message-scheduler"), "serve"], env=relative) as service:
        said = service.stderr.wait_for("Read:").text
        assert f"{programs.parent}/lib/" in said
        assert said.endswith("scheduler/config/appsettings.json, environment")
        page = service.request("GET", "/", headers={"Accept": "text/html"})
        assert '<div id="root">' in page.text
        assert service.get("/docs").status == 200
        (id,) = service.schedule([{"message": "from a wheel"}])
        service.stdout.wait_for("from a wheel")
        wait_for("delivered", lambda: service.get(f"/v1/messages/{id}").json()["status"] == "delivered")
        url = f"http://127.0.0.1:{service.port}"
        command = [str(programs / "message-scheduler"), "get", id, "--json", "--url", url]
        said = subprocess.run(command, cwd=short_tmp, capture_output=True, text=True, check=True, timeout=30).stdout
        assert json.loads(said)["message"] == "from a wheel"
        assert service.stop() == 0
    assert {path.name for path in short_tmp.iterdir()} == {"data", "logs"}
    assert {path.name for path in service.logs.iterdir()} >= {".api.lock", "scheduler.log"}


def test_settings_and_handlers_are_those_of_the_working_folder(programs: Path, short_tmp: Path) -> None:
    (short_tmp / "config").mkdir()
    (short_tmp / "config" / "appsettings.json").write_text('{"Jobs": {"Modules": "greetings"}}')
    (short_tmp / "greetings.py").write_text(HANDLER)
    (short_tmp / "scheduler.py").write_text("raise SystemExit('not the service')")
    with Service(short_tmp, command=[str(programs / "message-scheduler"), "serve"]) as service:
        (id,) = service.schedule([{"message": "Ada", "job": {"type": "greet"}}])
        greeted = {"greeting": "Hello Ada"}
        wait_for("the handler's result", lambda: service.get(f"/v1/messages/{id}").json()["result"] == greeted)
        assert service.stop() == 0


def test_a_file_that_is_named_and_not_there_is_a_sentence(programs: Path, tmp_path: Path) -> None:
    command = [str(programs / "message-scheduler"), "serve", "--config", "nowhere.json"]
    done = subprocess.run(
        command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (2, "nowhere.json: there is no such file\n")
    assert list(tmp_path.iterdir()) == []
