"""Fixtures that several tests of logs ask for."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time as stopwatch
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import loguru
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scheduler.config.sections.logs import LogSettings
from scheduler.errors import StartError
from scheduler.logs.sinks import ServiceLogger, adapt, setup
from tests.support.clock import START_MS, FakeClock
from tests.support.log_files import SECRET, Start


@pytest.fixture
def start(tmp_path: Path, clock: FakeClock) -> Iterator[Start]:
    """Set up a log in tmp_path; every one is closed at the end."""
    started: list[ServiceLogger] = []

    def begin(role: str = "scheduler", *, console: bool = False, **settings: object) -> ServiceLogger:
        values = LogSettings.model_validate({"directory": str(tmp_path), **settings})
        started.append(setup(values, role, console=console, secrets=[SECRET], clock=clock))
        return started[-1]

    yield begin
    for log in started:
        log.close()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    stopwatch.tzset()
    yield
    monkeypatch.undo()
    stopwatch.tzset()
