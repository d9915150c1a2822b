"""Dockerfile and docker-compose.yml as far as they can be checked without a Docker engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from scheduler.config import load_settings
from tests.support.dockerfile import Stage, command, inherited, lineage, read_stages
from tests.support.programs import need

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    return read_stages(ROOT / "Dockerfile")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


# --------------------------------------------------------------------------------------------------------- Dockerfile


def test_the_default_image_is_the_service_alone(stages: dict[str, Stage]) -> None:
    assert list(stages)[-1] == "app"
    steps = [step for stage in lineage(stages, "app") for step in stage.steps]
    assert not [arguments for _, arguments in steps if "requirements-dev" in arguments or "apt-get" in arguments]


def test_it_is_built_on_a_pinned_slim_image(stages: dict[str, Stage]) -> None:
    outside = {stage.base for stage in stages.values() if stage.base not in stages}
    assert len(outside) == 1
    assert re.fullmatch(r"python:3\.1[1-3]\.\d+-slim-\w+", outside.pop())


@pytest.mark.parametrize("target", ["app", "dev"])
def test_it_does_not_run_as_root_and_listens_on_all_of_the_containers_addresses(
    stages: dict[str, Stage], target: str
) -> None:
    assert stages[target].last("USER") == "scheduler"
    assert inherited(stages, target, "ENV") == "SERVER__HOST=0.0.0.0"
    settings = load_settings(env={})
    assert inherited(stages, target, "EXPOSE") == f"{settings.server.port} {settings.events.port}"


def test_every_copied_file_exists_and_is_sent_to_the_engine(stages: dict[str, Stage]) -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] not in "#!"]
    for stage in stages.values():
        for instruction, arguments in stage.steps:
            parts = [part for part in arguments.split() if not part.startswith("--")]
            if instruction == "COPY" and "--from=" not in arguments:
                assert [source for source in parts[:-1] if not (ROOT / source).exists()] == []
                assert not set(parts[:-1]) & set(ignored)
            elif "--from=" in arguments:
                assert re.findall(r"--from=(\S+)", arguments)[0] in stages


def test_every_command_of_a_shell_parses(stages: dict[str, Stage]) -> None:
    scripts = [arguments for stage in stages.values() for name, arguments in stage.steps if name == "RUN"]
    assert scripts
    for script in scripts:
        subprocess.run(["/bin/sh", "-n", "-c", script], check=True)


def test_the_app_image_has_all_that_its_command_needs(stages: dict[str, Stage], tmp_path: Path) -> None:
    """Copies what the Dockerfile copies, and nothing else, and imports the entry point there."""
    for _, arguments in [step for step in stages["app"].steps if step[0] == "COPY" and "--from=" not in step[1]]:
        source, target = [part for part in arguments.split() if not part.startswith("--")]
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target)
        else:
            shutil.copy(ROOT / source, tmp_path / target)
    program, script = command(stages["app"].last("CMD"))
    assert program == "python"
    check = f"import runpy; runpy.run_path({script!r}, run_name='imported'); import scheduler.api.serve"
    subprocess.run([sys.executable, "-c", check], cwd=tmp_path, env=_clean_environment(), check=True, timeout=50)


@pytest.fixture
def answering() -> Iterator[tuple[int, list[int]]]:
    """A server on a port of its own that answers each GET with the status in a list."""
    status = [200]

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0] if self.path == "/health" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            pass

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port, status
        server.shutdown()
        thread.join()


def test_the_health_check_tells_healthy_from_not(stages: dict[str, Stage], answering: tuple[int, list[int]]) -> None:
    port, status = answering
    program, *arguments = command(inherited(stages, "app", "HEALTHCHECK"))
    assert program == "python"

    def healthy() -> bool:
        environment = _clean_environment() | {"PORT": str(port)}
        process = subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, timeout=20, check=False
        )
        return process.returncode == 0

    assert healthy()
    status[0] = 503
    assert not healthy()


# -------------------------------------------------------------------------------------------------------------- compose


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.scale.yml"])
def test_docker_compose_accepts_the_file(name: str) -> None:
    """Version 1.29 as well, which Debian 12 and Ubuntu 22.04 install under that name."""
    subprocess.run([need("docker-compose"), "-f", name, "config", "--quiet"], cwd=ROOT, check=True, timeout=30)


def test_all_services_share_one_network_and_the_named_volumes_exist(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"redis", "app", "test"}
    (network,) = compose["networks"]
    assert all(service["networks"] == [network] for service in compose["services"].values())
    named = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert named == set(compose["volumes"])


def test_redis_is_pinned_keeps_its_data_and_is_waited_for(compose: dict[str, Any]) -> None:
    redis = compose["services"]["redis"]
    assert re.fullmatch(r"redis:\d+\.\d+\.\d+-\w+", redis["image"])
    options = dict(zip(redis["command"][1::2], redis["command"][2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert redis["volumes"] == ["redis-data:/data"]
    assert redis["healthcheck"]["test"][:2] == ["CMD", "redis-cli"]
    assert compose["services"]["app"]["depends_on"]["redis"]["condition"] == "service_healthy"


def test_redis_takes_the_options_it_is_started_with(compose: dict[str, Any], short_tmp: Path) -> None:
    from tests.support.redis_server import RedisServer

    with RedisServer(short_tmp, *compose["services"]["redis"]["command"][1:]) as server, server.client() as client:
        assert client.info("persistence")["aof_enabled"] == 1


def test_the_app_reloads_the_source_that_is_mounted(compose: dict[str, Any], stages: dict[str, Stage]) -> None:
    app = compose["services"]["app"]
    mounted = {volume.split(":")[0]: volume.split(":")[1] for volume in app["volumes"]}
    assert all((ROOT / source).exists() for source in mounted)
    assert mounted["./logs"] == f"/app/{load_settings(env={}).logs.directory}"
    python, *arguments = command(stages[app["build"]["target"]].last("CMD"))
    assert (python, arguments[:2]) == ("python", ["-m", "watchfiles"])
    watched = arguments[arguments.index("python app.py") + 1 :]
    assert {f"./{path}": f"/app/{path}" for path in watched}.items() <= mounted.items()


def test_the_apps_environment_is_one_that_the_settings_accept(compose: dict[str, Any]) -> None:
    environment = {
        name: value.replace("${API_AUTH:-}", "s3cret").replace("${JOBS__FALLBACK:-}", "wait")
        for name, value in compose["services"]["app"]["environment"].items()
    }
    settings = load_settings(env=environment)
    assert settings.redis.connection_string == "redis://redis:6379/0"
    assert settings.server.host == "0.0.0.0"
    assert settings.api.auth_token == "s3cret"
    assert settings.jobs.fallback == "wait"
    published = compose["services"]["app"]["ports"]
    assert published == [f"127.0.0.1:{port}:{port}" for port in (settings.server.port, settings.events.port)]


def test_compose_run_test_runs_the_tests(compose: dict[str, Any], stages: dict[str, Stage]) -> None:
    test = compose["services"]["test"]
    assert test["command"] == ["python", "-m", "pytest"]
    assert test["environment"]["CI"] == "true"
    packages = [arguments for name, arguments in stages[test["build"]["target"]].steps if name == "RUN"]
    assert any("system-packages.txt" in arguments for arguments in packages)
    assert any("requirements-dev.txt" in arguments for arguments in packages)


# ----------------------------------------------------------------------------------------- compose with several workers


@pytest.fixture(scope="module")
def scaled() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.scale.yml").read_text())
    return document


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    return {name: str(value).replace("${API_AUTH:-}", "s3cret") for name, value in service["environment"].items()}


def test_one_takes_messages_and_any_number_deliver_them(scaled: dict[str, Any]) -> None:
    api, worker = (load_settings(env=environment_of(scaled["services"][name])) for name in ("api", "worker"))
    assert (api.server.role, worker.server.role) == ("api", "worker")
    # But for the role they are one server: the same Redis, the same token, reachable from outside of the container.
    assert api.model_copy(update={"server": None}) == worker.model_copy(update={"server": None})
    assert api.redis.connection_string == "redis://redis:6379/0"
    assert {api.server.host, worker.server.host} == {"0.0.0.0"}
    # A fixed name or one host port for all would keep a second worker from starting.
    assert "container_name" not in scaled["services"]["worker"]
    (ports,) = scaled["services"]["worker"]["ports"]
    low, high = re.fullmatch(rf"127\.0\.0\.1:(\d+)-(\d+):{worker.events.port}", ports).groups()  # type: ignore[union-attr]
    assert (int(low), int(high) - int(low)) == (worker.events.port, 9)
    assert scaled["services"]["api"]["ports"] == [f"127.0.0.1:{api.server.port}:{api.server.port}"]


def test_it_is_the_same_project_and_the_same_redis(scaled: dict[str, Any], compose: dict[str, Any]) -> None:
    assert scaled["services"]["redis"]["extends"] == {"file": "docker-compose.yml", "service": "redis"}
    assert {name: scaled[name] for name in ("networks", "volumes")} == {
        name: compose[name] for name in ("networks", "volumes")
    }
    for name in ("api", "worker"):
        service = scaled["services"][name]
        assert service["depends_on"] == compose["services"]["app"]["depends_on"]
        assert service["networks"] == list(scaled["networks"])


def test_a_worker_is_not_asked_for_the_health_that_only_http_can_tell(
    scaled: dict[str, Any], stages: dict[str, Stage]
) -> None:
    assert scaled["services"]["worker"]["healthcheck"] == {"disable": True}
    assert "healthcheck" not in scaled["services"]["api"]
    assert scaled["services"]["api"]["build"]["target"] in stages


def _clean_environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
