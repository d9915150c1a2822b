"""Fixtures that several tests of delivery ask for."""

from __future__ import annotations

import pytest

from scheduler.telemetry.figures import Telemetry
from tests.support.clock import FakeClock
from tests.support.delivery import FlakyStore
from tests.support.logger import RecordingLogger


@pytest.fixture
def store(clock: FakeClock) -> FlakyStore:
    return FlakyStore(clock)


@pytest.fixture
def log() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def telemetry(clock: FakeClock) -> Telemetry:
    return Telemetry(clock)
