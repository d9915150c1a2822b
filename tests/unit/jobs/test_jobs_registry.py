"""Registering handlers, and the modules that bring them."""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scheduler import jobs
from scheduler.errors import ConfigError
from scheduler.jobs import REGISTRY, JobContext, Registry, Retry
from scheduler.jobs.registry import Handler


def nothing(payload: Any, context: JobContext) -> Any:
    return None


def test_a_handler_is_found_by_its_name_and_stays_a_function() -> None:
    registry = Registry()
    assert registry.handler("send.it:now-1_A", time_limit=60)(nothing) is nothing
    found = registry.get("send.it:now-1_A")
    assert found is not None
    assert (found.run, found.time_limit) == (nothing, 60)
    assert registry.get("another") is None
    assert registry.get(None) is None


def test_the_time_limit_is_five_minutes_unless_said_otherwise() -> None:
    registry = Registry()
    registry.handler("plain")(nothing)
    registry.handler("endless", time_limit=None)(nothing)
    assert [registry.get(name).time_limit for name in ("plain", "endless")] == [300, None]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["", "a b", "ü", "a/b", "x" * 129])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 128 letters"):
        Registry().handler(name)


@pytest.mark.parametrize("seconds", [0, -1, 0.05, math.nan, math.inf])
def test_a_time_limit_that_is_none(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"at least 0\.1 seconds"):
        Registry().handler("x", time_limit=seconds)


def test_a_name_belongs_to_one_function() -> None:
    registry = Registry()
    registry.handler("x")(nothing)
    registry.handler("x")(nothing)  # its module was imported anew
    with pytest.raises(ValueError, match=f"{__name__}.nothing has this name already"):
        registry.handler("x")(lambda payload, context: None)


async def later(payload: Any, context: JobContext) -> Any:
    return None


async def later_each(payload: Any, context: JobContext) -> Any:
    yield None


def each(payload: Any, context: JobContext) -> Any:
    yield None


class Later:
    async def __call__(self, payload: Any, context: JobContext) -> Any:
        return None


@pytest.mark.parametrize("function", [later, later_each, each, Later(), partial(later)])
def test_what_a_call_would_not_run_is_no_handler(function: Handler) -> None:
    with pytest.raises(TypeError, match="a plain function"):
        Registry().handler("x")(function)


def test_unknown_types_are_refused_with_those_that_are_known() -> None:
    registry = Registry()
    assert registry.unknown("x") == (
        "no handler is registered for the job type 'x'; known: none (Jobs.Modules); "
        "the setting Jobs.Fallback names a handler for all other types"
    )
    registry.handler("b")(nothing)
    registry.handler("a")(nothing)
    assert "known: a, b; the setting Jobs.Fallback" in registry.unknown("x")


def test_a_fallback_runs_what_has_no_handler_and_nothing_else() -> None:
    registry = Registry()
    registry.handler("all_others")(nothing)
    registry.handler("a")(nothing)
    assert registry.get("x") is None
    registry.fallback = "all_others"
    found = [registry.get(name) for name in ("x", None, "a")]
    assert [type.name for type in found if type is not None] == ["all_others", "all_others", "a"]


def test_a_fallback_must_be_a_registered_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REGISTRY, "fallback", "")
    with pytest.raises(ConfigError, match=r"Jobs\.Fallback: no module of Jobs\.Modules registers a handler 'nobody'"):
        jobs.load(["scheduler.jobs.examples"], "nobody")
    assert REGISTRY.fallback == ""
    jobs.load(["scheduler.jobs.examples"], "wait")
    assert REGISTRY.get("email_notification") == REGISTRY.get("wait")


def test_modules_are_imported_and_each_failure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_handlers.py").write_text(
        "from scheduler.jobs import handler\n@handler('of_my_handlers')\ndef run(payload, context): return payload\n"
    )
    (tmp_path / "my_broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as caught:
        jobs.load(["my_handlers", "my_broken", "not_there"])
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "Jobs.Modules: my_broken cannot be imported (ZeroDivisionError: division by zero)",
        "Jobs.Modules: not_there cannot be imported (ModuleNotFoundError: No module named 'not_there')",
    ]
    assert REGISTRY.get("of_my_handlers") is not None
    sys.modules.pop("my_handlers")


@pytest.mark.parametrize("after", [-1, math.nan, math.inf, 1e12])
def test_a_retry_needs_a_time_that_can_be(after: float) -> None:
    with pytest.raises(ValueError, match="must be a number of seconds from 0 to"):
        Retry(after=after)


def test_a_context_for_a_test_of_a_handler() -> None:
    context = JobContext("id")
    assert (context.id, context.attempt, context.due_at) == ("id", 1, 0)
    assert not context.cancelled()
    assert context.renewed()
