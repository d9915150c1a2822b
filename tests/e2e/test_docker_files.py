"""Dockerfile and compose files as far as they can be checked without a Docker engine: by docker-compose itself."""

from __future__ import annotations

import json
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

from scheduler.config.reading import load_settings
from tests.support.dockerfile import Stage, command, inherited, lineage, read_stages
from tests.support.programs import listed, need

ROOT = Path(__file__).parents[2]
PROFILES = ("test", "postgres", "mongo")
_START = re.compile(r"HISTORY__URL=(\S+) docker-compose --profile (\w+) up")
ADDRESSES = {profile: url for url, profile in _START.findall((ROOT / "docker-compose.yml").read_text())}
"""``History.Url`` by profile, as the file's own lines say to start it."""


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    return read_stages(ROOT / "Dockerfile")


def resolved(name: str) -> dict[str, Any]:
    """Return a compose file as docker-compose reads it, with the user's variables set."""
    profiles = [word for profile in PROFILES for word in ("--profile", profile)]
    variables = {"API_AUTH": "s3cret", "JOBS__FALLBACK": "wait", "HISTORY__URL": ADDRESSES["postgres"]}
    said = subprocess.run(
        [need("docker-compose"), *profiles, "-f", name, "config"],
        cwd=ROOT,
        env=_clean_environment() | variables,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    document: dict[str, Any] = yaml.safe_load(said.stdout)
    return document


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return resolved("docker-compose.yml")


@pytest.fixture(scope="module")
def scaled() -> dict[str, Any]:
    return resolved("docker-compose.scale.yml")


# --------------------------------------------------------------------------------------------------------- Dockerfile


def test_the_default_image_is_the_service_alone(stages: dict[str, Stage]) -> None:
    default = list(stages.values())[-1]
    assert (default.base, default.steps) == ("app", [])
    steps = [step for stage in lineage(stages, "app") for step in stage.steps]
    assert not [arguments for _, arguments in steps if "requirements-dev" in arguments or "apt-get" in arguments]


def test_it_is_built_on_a_pinned_slim_image(stages: dict[str, Stage]) -> None:
    outside = {stage.base for stage in stages.values() if stage.base not in stages}
    assert len(outside) == 1
    assert re.fullmatch(r"python:3\.1[1-3]\.\d+-slim-\w+", outside.pop())


@pytest.mark.parametrize("target", ["app", "dev", "test"])
def test_it_listens_on_all_of_the_containers_addresses(stages: dict[str, Stage], target: str) -> None:
    assert inherited(stages, target, "ENV") == "SERVER__HOST=0.0.0.0"
    settings = load_settings(env={})
    assert inherited(stages, target, "EXPOSE") == f"{settings.server.port} {settings.events.port}"


def test_none_runs_as_root_unless_root_owns_the_mounted_folder(stages: dict[str, Stage]) -> None:
    assert stages["app"].last("USER") == "scheduler"
    for target, folder in (("dev", "/app/logs"), ("test", "/app")):
        assert command(stages[target].last("ENTRYPOINT")) == ["entrypoint", folder]
        copied = [arguments for stage in lineage(stages, target) for name, arguments in stage.steps if name == "COPY"]
        assert "docker/entrypoint /usr/local/bin/" in copied


def test_the_test_image_has_what_the_tests_need_and_runs_them_all(stages: dict[str, Stage]) -> None:
    steps = [step for stage in lineage(stages, "test") for step in stage.steps]
    (install,) = (arguments for name, arguments in steps if name == "RUN" and "apt-get" in arguments)
    (packages,) = re.findall(r"\$\((.*)\)", install)
    shown = subprocess.run(packages, shell=True, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.split() == list(listed().values())
    assert command(stages["test"].last("CMD")) == ["make", "test", "VENV=/opt/venv"]
    for stamp in ("run.stamp", "test.stamp"):
        assert any(name == "RUN" and f"touch /opt/venv/{stamp}" in arguments for name, arguments in steps)
    assert stages["test"].last("HEALTHCHECK") == "NONE"


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


@pytest.mark.parametrize("where", ["SERVER__PORT", "appsettings.json"])
def test_the_health_check_asks_at_the_port_of_the_settings(
    stages: dict[str, Stage], answering: tuple[int, list[int]], tmp_path: Path, where: str
) -> None:
    port, status = answering
    program, *arguments = command(inherited(stages, "app", "HEALTHCHECK"))
    assert program == "python"
    environment = _clean_environment() | {"SERVER__HOST": "0.0.0.0", "http_proxy": "http://127.0.0.1:9"}
    shutil.copytree(ROOT / "scheduler", tmp_path / "scheduler", ignore=shutil.ignore_patterns("__pycache__", "static"))
    (tmp_path / "config").mkdir()
    if where == "appsettings.json":
        (tmp_path / "config" / where).write_text(json.dumps({"Server": {"Port": port}}))
    else:
        environment[where] = str(port)

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    assert check().returncode == 0
    status[0] = 503
    assert (check().returncode, check().stderr) == (1, "/health answers 503: \n")


# -------------------------------------------------------------------------------------------------------------- compose


def published(service: dict[str, Any]) -> list[str]:
    """Return the ports of a service as ``host's address:host's port:port``; Compose 2 shows them as mappings."""
    ports = service.get("ports", [])
    return [
        port.removesuffix("/tcp")
        if isinstance(port, str)
        else f"{port['host_ip']}:{port['published']}:{port['target']}"
        for port in ports
    ]


def mounted(service: dict[str, Any]) -> dict[str, str]:
    """Return where each folder of the host or named volume is found in the container."""
    return {
        volume["source"]: volume["target"] for volume in service.get("volumes", []) if isinstance(volume, dict)
    } | dict(volume.split(":")[:2] for volume in service.get("volumes", []) if isinstance(volume, str))


def test_the_services_share_one_network_and_their_images_exist(
    compose: dict[str, Any], scaled: dict[str, Any], stages: dict[str, Stage]
) -> None:
    databases = {"postgres", "mongo"}
    assert set(compose["services"]) == {"redis", "app", "test", *databases}
    assert set(scaled["services"]) == {"redis", "api", "worker", *databases}
    for service in (*compose["services"].values(), *scaled["services"].values()):
        assert list(service["networks"]) == ["scheduler"]
        assert "build" not in service or service["build"]["target"] in stages


def test_redis_is_pinned_keeps_its_data_and_is_waited_for(compose: dict[str, Any]) -> None:
    redis = compose["services"]["redis"]
    assert re.fullmatch(r"redis:\d+\.\d+\.\d+-\w+", redis["image"])
    options = dict(zip(redis["command"][1::2], redis["command"][2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert mounted(redis) == {"redis-data": "/data"}
    assert redis["healthcheck"]["test"][:2] == ["CMD", "redis-cli"]
    assert compose["services"]["app"]["depends_on"]["redis"]["condition"] == "service_healthy"


def test_redis_takes_the_options_it_is_started_with(compose: dict[str, Any], short_tmp: Path) -> None:
    from tests.support.redis_server import RedisServer

    with RedisServer(short_tmp, *compose["services"]["redis"]["command"][1:]) as server, server.client() as client:
        assert client.info("persistence")["aof_enabled"] == 1


@pytest.mark.parametrize(("name", "data"), [("postgres", "/var/lib/postgresql/data"), ("mongo", "/data/db")])
def test_a_profile_brings_a_database_that_keeps_its_data(compose: dict[str, Any], name: str, data: str) -> None:
    plain = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][name]
    assert plain["profiles"] == [name]
    service = compose["services"][name]
    assert re.fullmatch(r"(postgres|mongo):\d+\.\d+(\.\d+)?-\w+", service["image"])
    assert mounted(service) == {f"{name}-data": data}
    assert service["healthcheck"]["test"][0] == "CMD"
    assert published(service) == [], "nobody outside reaches it"
    # The address that the file says to start with: this host, user and password.
    assert ADDRESSES[name].startswith(f"{name.replace('postgres', 'postgresql').replace('mongo', 'mongodb')}://")
    assert f"://scheduler:scheduler@{name}/scheduler" in ADDRESSES[name]
    assert {"scheduler"} <= set(service["environment"].values())
    assert load_settings(env={"HISTORY__URL": ADDRESSES[name]}).history_url == ADDRESSES[name]


def test_the_app_reloads_the_source_that_is_mounted(compose: dict[str, Any], stages: dict[str, Stage]) -> None:
    app = compose["services"]["app"]
    folders = {str(Path(source).relative_to(ROOT)): target for source, target in mounted(app).items()}
    assert all((ROOT / source).exists() for source in folders)
    assert folders["logs"] == f"/app/{load_settings(env={}).logs.directory}"
    python, *arguments = command(stages[app["build"]["target"]].last("CMD"))
    assert (python, arguments[:2]) == ("python", ["-m", "watchfiles"])
    watched = arguments[arguments.index("python app.py") + 1 :]
    assert {path: f"/app/{path}" for path in watched}.items() <= folders.items()


def test_the_apps_environment_is_one_that_the_settings_accept(compose: dict[str, Any]) -> None:
    app = compose["services"]["app"]
    settings = load_settings(env=app["environment"])
    assert settings.redis.connection_string == "redis://redis:6379/0"
    assert settings.server.host == "0.0.0.0"
    assert settings.api.auth_token == "s3cret"
    assert settings.jobs.fallback == "wait"
    assert settings.history_url == ADDRESSES["postgres"]
    assert published(app) == [f"127.0.0.1:{port}:{port}" for port in (settings.server.port, settings.events.port)]


def test_compose_run_test_runs_what_make_test_runs(compose: dict[str, Any]) -> None:
    test = compose["services"]["test"]
    assert test["build"]["target"] == "test"
    assert {"command", "entrypoint", "user"} & set(test) == set()
    assert test["environment"] == {"CI": "true"}
    assert mounted(test) == {str(ROOT): "/app"}
    assert test["healthcheck"] in ({"test": ["NONE"]}, {"disable": True})


def test_no_container_needs_to_be_told_who_owns_the_folder(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "user" in service] == []


# ----------------------------------------------------------------------------------------- compose with several workers


def test_one_takes_messages_and_any_number_deliver_them(scaled: dict[str, Any]) -> None:
    services = scaled["services"]
    api, worker = (load_settings(env=services[name]["environment"]) for name in ("api", "worker"))
    assert (api.server.role, worker.server.role) == ("api", "worker")
    # But for the role they are one server: the same Redis, the same token, reachable from outside of the container.
    own = {"server": None, "metrics": None}
    assert api.model_copy(update=own) == worker.model_copy(update=own)
    assert api.redis.connection_string == "redis://redis:6379/0"
    assert {api.server.host, worker.server.host} == {"0.0.0.0"}
    assert api.history_url == worker.history_url == ADDRESSES["postgres"]
    # A fixed name or one host port for all would keep a second worker from starting.
    assert "container_name" not in services["worker"]
    (ports,) = published(services["worker"])
    low, high = re.fullmatch(rf"127\.0\.0\.1:(\d+)-(\d+):{worker.events.port}", ports).groups()  # type: ignore[union-attr]
    assert (int(low), int(high) - int(low)) == (worker.events.port, 9)
    assert published(services["api"]) == [f"127.0.0.1:{api.server.port}:{api.server.port}"]


def test_it_is_the_same_redis_with_the_same_data(scaled: dict[str, Any], compose: dict[str, Any]) -> None:
    assert scaled["services"]["redis"] == compose["services"]["redis"] | {
        "networks": scaled["services"]["redis"]["networks"]
    }
    assert scaled["volumes"] == compose["volumes"]
    for name in ("api", "worker"):
        assert scaled["services"][name]["depends_on"] == compose["services"]["app"]["depends_on"]


def test_both_are_asked_for_their_health(scaled: dict[str, Any]) -> None:
    assert not [name for name in ("api", "worker") if "healthcheck" in scaled["services"][name]]
    worker = load_settings(env=scaled["services"]["worker"]["environment"])
    assert worker.metrics.port not in (0, worker.events.port)


def _clean_environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
