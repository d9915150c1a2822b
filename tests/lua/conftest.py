"""Each script directly on a real Redis: plain data in, whole state out."""

from __future__ import annotations

import pytest
import redis

from tests.support.store import Lua


@pytest.fixture
def lua(redis_client: redis.Redis) -> Lua:
    return Lua(redis_client)
