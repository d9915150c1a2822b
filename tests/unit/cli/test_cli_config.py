"""``config check`` and ``config show``: what can be used, where it comes from, and no secret on the screen."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scheduler.cli.exits import Exit
from tests.support.cli import cli
from tests.support.service import clean_environment

ENVIRONMENT: dict[str, str] = {
    "REDIS_URL": "redis://me:geheim@redis:6379/0",
    "API_AUTH": "wirklich-geheim",
    "SCHEDULER__WORKERS": "7",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with settings of its own."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "appsettings.json").write_text('{"Scheduler": {"Workers": 3, "BatchSize": 50}}')
    return tmp_path


def test_each_value_says_where_it_comes_from(folder: Path) -> None:
    shown = {row["key"]: row for row in cli("config", "show", "--json", env=ENVIRONMENT).json()}
    file = str(folder / "config" / "appsettings.json")
    assert (shown["Scheduler.Workers"]["value"], shown["Scheduler.Workers"]["from"]) == (7, "SCHEDULER__WORKERS")
    assert (shown["Scheduler.BatchSize"]["value"], shown["Scheduler.BatchSize"]["from"]) == (50, file)
    assert (shown["Server.Port"]["value"], shown["Server.Port"]["from"]) == (3000, "default")
    assert shown["Redis.ConnectionString"]["from"] == "REDIS_URL"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_secrets_are_masked(form: list[str]) -> None:
    said = cli("config", "show", *form, env=ENVIRONMENT).out
    assert "geheim" not in said
    assert "redis://me:***@redis:6379/0" in said


def test_a_short_secret_is_masked_too() -> None:
    shown = {row["key"]: row for row in cli("config", "show", "--json", env={"API_AUTH": "abc"}).json()}
    assert shown["Api.AuthToken"]["value"] == "***"


def test_a_file_that_is_named_counts(folder: Path) -> None:
    (folder / "other.json").write_text('{"Scheduler": {"Workers": 9}}')
    shown = {row["key"]: row for row in cli("config", "show", "--config", "other.json", "--json").json()}
    assert (shown["Scheduler.Workers"]["value"], shown["Scheduler.Workers"]["from"]) == (9, "other.json")
    assert shown["Scheduler.BatchSize"]["from"] == "default"


def test_check(folder: Path) -> None:
    done = cli("config", "check", env={"SCHEDULER_WORKERS": "3"})
    assert done.code == 0
    assert f"{folder}/config/appsettings.json" in done.out
    assert "did you mean SCHEDULER__WORKERS" in done.out


def test_check_says_what_opentelemetry_lacks() -> None:
    done = cli("config", "check", env={"OPENTELEMETRY__ENABLED": "true", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert done.code == Exit.USAGE
    assert "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' is not accepted; accepted: http/protobuf" in done.err


def test_check_names_every_problem() -> None:
    wrong: dict[str, str] = {"PORT": "none", "SCHEDULER__WORKER": "5"}
    done = cli("config", "check", env=wrong)
    assert done.code == Exit.USAGE
    assert [line.partition(":")[0] for line in done.err.splitlines()] == ["SCHEDULER__WORKER", "PORT"]
    assert len(json.loads(cli("config", "check", "--json", env=wrong).err)["problems"]) == 2
