"""Fixtures that several tests of delivery ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scheduler.telemetry.figures import Telemetry
from tests.support.clock import FakeClock
from tests.support.delivery import FlakyStore, HeldChannel, MakePool, Pool
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


@pytest.fixture
def pool(store: FlakyStore, clock: FakeClock) -> Iterator[MakePool]:
    """Makes a pool; at the end everything held is let go and its threads end."""
    made: list[tuple[Pool, tuple[Any, ...]]] = []

    def make(*channels: Any, **options: Any) -> Pool:
        made.append((Pool(store, clock, *channels, **options), channels))
        return made[-1][0]

    yield make
    for each, channels in made:
        for channel in channels:
            if isinstance(channel, HeldChannel):
                channel.let_go()
        each.close()
