"""docs/coming-from: what the pages say of this service is there, their commands run, their handlers are registered."""

from __future__ import annotations

import re
import shlex
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from scheduler import jobs
from scheduler.channels.registry import CHANNELS
from scheduler.cli.main import app
from scheduler.config.settings import every_setting
from scheduler.jobs import REGISTRY, JobContext
from scheduler.message import Status
from tests.support.api import Api
from tests.support.cli import answered_by_api, cli
from tests.support.clock import FakeClock

PAGES = sorted((Path(__file__).parents[3] / "docs" / "coming-from").glob("*.md"))
CHANNEL_SOURCES = sorted((Path(__file__).parents[3] / "scheduler" / "channels" / "webhook").glob("*.py"))
HTTP_HEADERS = {"Authorization", "Content-Type", "Idempotency-Key", "Retry-After"}
VALUE = re.compile(r'-?[\d.]+|"[^"]*"|@\w+|/v2/.*')
"""Examples of values, and the other system's own words."""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The commands of the page's shell blocks, those that call a service."""
    text = "\n".join(blocks(page, "sh")).replace("\\\n", " ")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("message-scheduler ")]
    return [line[1:] for line in lines]


def ours(page: Path) -> list[str]:
    """What stands as code in the last column of the tables: the words of this service."""
    rows = re.findall(r"^\|.*\| (.*) \|$", page.read_text("utf-8"), re.MULTILINE)
    return [span for row in rows for span in re.findall(r"`([^`]+)`", row)]


@lru_cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = Api(FakeClock()).get("/openapi.json").json
    return found


@lru_cache
def routes() -> set[str]:
    methods = {f"{method.upper()} {path}" for path, each in document()["paths"].items() for method in each}
    return {re.sub(r"\{\w+\}", "{}", route) for route in methods}


def members(schema: dict[str, Any]) -> set[str]:
    """The fields of an object that a schema describes or refers to."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        schema = document()["components"]["schemas"][name]
    return {*schema.get("properties", {})}.union(*map(members, schema.get("allOf", [])))


@lru_cache
def words() -> set[str]:
    """Fields, their values, parameters, settings, headers, statuses: all that a page may name."""
    found: set[str] = {*HTTP_HEADERS, *CHANNELS, *Status, "lost", "plan"}

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            for name, schema in node.get("properties", {}).items():
                found.add(name)
                found.update(f"{name}.{member}" for member in members(schema))
            found.update(str(value) for value in node.get("enum", []))
            if node.get("in") == "query":
                found.add(node["name"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document())
    for setting in every_setting():
        found.update((setting.key, setting.variable, *get_args(setting.field.annotation)))
    sources = "".join(path.read_text("utf-8") for path in CHANNEL_SOURCES)
    found.update(re.findall(r"\b(?:webhook|Scheduler)-[A-Za-z-]+", sources))
    found.update({*jobs.__all__, "after"}, (f"context.{name}" for name in dir(JobContext)))
    return found


def command_exists(text: str) -> bool:
    command: Any = typer.main.get_command(app)
    for word in shlex.split(text)[1:]:
        if word.startswith("--"):
            if word not in {name for option in command.params for name in option.opts}:
                return False
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return False
            command = command.commands[word]
    return True


def known(span: str) -> bool:
    if span.startswith("message-scheduler "):
        return command_exists(span)
    if re.match(r"(GET|POST|PUT|PATCH|DELETE) /", span):
        return re.sub(r"\{\w+\}", "{}", span) in routes()
    name = re.split(r"[=:] ?", span)[0].removeprefix("@")
    return bool(VALUE.fullmatch(span)) or name in words()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_word_of_ours_exists(page: Path) -> None:
    assert len(ours(page)) > 20
    assert [span for span in ours(page) if not known(span)] == []


@pytest.mark.parametrize(
    "span",
    [
        "POST /v1/message",
        "Scheduler.Works",
        "retry.attempts",
        "message-scheduler resend",
        "message-scheduler send --on TIME",
    ],
)
def test_what_does_not_exist_is_found(span: str) -> None:
    assert not known(span)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_run_and_the_handlers_are_registered(
    page: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(REGISTRY, "_types", {})
    for source in blocks(page, "python"):
        exec(compile(source, page.name, "exec"), {"__name__": "page"})
    answered_by_api(monkeypatch, Api(clock))
    found = commands(page)
    assert len(found) >= 2
    for command in found:
        done = cli(*command)
        assert done.code == 0, (command, done)


def test_the_handler_for_commands_takes_those_of_its_list_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    (page,) = (page for page in PAGES if page.stem == "cron")
    monkeypatch.setattr(REGISTRY, "_types", {})
    names: dict[str, Any] = {}
    exec(compile(blocks(page, "python")[0], page.name, "exec"), names)
    found = REGISTRY.get("command")
    assert found is not None
    names["COMMANDS"].update(good=["echo", "done"], bad=["sh", "-c", "echo why >&2; exit 3"])
    handle = found.run
    assert handle("good", JobContext("id")) == {"said": "done\n"}
    with pytest.raises(RuntimeError, match="exit code 3: why"):
        handle("bad", JobContext("id"))
    with pytest.raises(jobs.Dead, match="rm"):
        handle("rm", JobContext("id"))
