"""Fixtures that every test may ask for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import redis

from tests.support.clock import FakeClock
from tests.support.redis_server import RedisServer, described

# No deadline: on a busy machine an example takes 0.1 ms or 300 ms, which says nothing of the code.  Nor does it say
# anything that inputs are drawn slowly.
_SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=_SLOW)
hypothesis.settings.load_profile("busy")


def pytest_report_header() -> str:
    return f"server: {described()}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """An empty folder with a short path: a unix socket's path must stay under 108 bytes, which tmp_path may not."""
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A real redis-server, shared by the session.  A test that kills or reconfigures one starts its own."""
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder, RedisServer(Path(folder)) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of the shared server, emptied first; answers are text."""
    with redis_server.client() as client:
        client.flushall()
        client.script_flush()
        yield client
