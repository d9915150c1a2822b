"""The fixtures for pytest; loaded by itself where the package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from message_scheduler_client.clients import Client
from message_scheduler_client.testing.receiver import Receiver
from message_scheduler_client.testing.service import SchedulerService, text

_SCOPES = ("function", "class", "module", "package", "session")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of ``scheduler_service``."""
    parser.addini("message_scheduler_command", "what starts the service; default: message-scheduler serve")
    parser.addini(
        "message_scheduler_scope",
        f"how long one service runs: {', '.join(_SCOPES)}; its clock and its messages go on from test to test",
        default="function",
    )


def _scope(fixture_name: str, config: pytest.Config) -> Any:  # noqa: ARG001 - pytest passes both
    scope = config.getini("message_scheduler_scope")
    if scope not in _SCOPES:
        raise pytest.UsageError(f"message_scheduler_scope: {scope!r} is not one of {', '.join(_SCOPES)}")
    return scope


@pytest.fixture(scope=_scope)
def scheduler_settings() -> dict[str, Any]:
    """Settings of the service, as environment variables; a test module overrides this fixture to give some."""
    return {}


@pytest.fixture(scope=_scope)
def scheduler_service(pytestconfig: pytest.Config, scheduler_settings: dict[str, Any]) -> Iterator[SchedulerService]:
    """The real service in a temporary folder, whose clock can be moved."""
    command = pytestconfig.getini("message_scheduler_command") or None
    settings = {name: text(value) for name, value in scheduler_settings.items()}
    with SchedulerService(command, settings=settings) as service:
        yield service


@pytest.fixture
def scheduler(scheduler_service: SchedulerService) -> Client:
    """A client of the service."""
    return scheduler_service.client


@pytest.fixture
def webhook_receiver() -> Iterator[Receiver]:
    """A receiver of webhooks that records what comes, and answers as the test says."""
    with Receiver() as receiver:
        yield receiver
