"""When the private Redis is asked to rewrite its append-only file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import redis

from scheduler.redis_server.rewriting import LEAST_BYTES, SHARE, Rewriting
from tests.support.clock import FakeClock

LONG = {
    "aof_rewrite_in_progress": 0,
    "aof_rewrite_scheduled": 0,
    "aof_current_size": 10 * LEAST_BYTES,
    "aof_base_size": 9 * LEAST_BYTES,
    "aof_last_rewrite_time_sec": 30,
}


class Server:
    """What INFO says, and how often a rewrite was asked for."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = dict(LONG)
        self.asked = 0
        self.questions = 0
        self.percentage = "100"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def info(self, _: str) -> dict[str, Any]:
        self.questions += 1
        return self.says

    def config_get(self, name: str) -> dict[str, str]:
        return {name: self.percentage}

    def bgrewriteaof(self) -> None:
        self.asked += 1


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """The file with the commands since the snapshot."""
    file = tmp_path / "appendonlydir/appendonly.aof.2.incr.aof"
    file.parent.mkdir()
    resize(file, LEAST_BYTES)
    return file


def resize(file: Path, size: int) -> None:
    with file.open("wb") as opened:
        opened.truncate(size)


@pytest.fixture
def rewriting(server: Server, commands: Path, clock: FakeClock) -> Rewriting:
    return Rewriting(lambda: cast(redis.Redis, server), commands.parents[1], clock)


def test_a_rewrite_takes_a_tenth_of_the_time_at_most(server: Server, rewriting: Rewriting, clock: FakeClock) -> None:
    rewriting.tick()
    assert server.asked == 0, "the last one took 30 s, and may have ended just now"
    clock.advance(30 / SHARE)
    rewriting.tick()
    assert server.asked == 1
    server.says["aof_rewrite_in_progress"] = 1
    rewriting.tick()
    server.says |= {"aof_rewrite_in_progress": 0, "aof_last_rewrite_time_sec": 2}
    rewriting.tick()
    assert server.asked == 1
    clock.advance(2 / SHARE)
    rewriting.tick()
    assert server.asked == 2


def test_a_first_one_waits_for_nothing_but_enough_to_do(server: Server, rewriting: Rewriting) -> None:
    server.says |= {"aof_last_rewrite_time_sec": -1, "aof_base_size": 9 * LEAST_BYTES + 1}
    rewriting.tick()
    assert server.asked == 0
    server.says["aof_base_size"] -= 1
    rewriting.tick()
    assert server.asked == 1


def test_none_while_an_operator_copies_the_files(server: Server, rewriting: Rewriting, clock: FakeClock) -> None:
    server.percentage = "0"
    clock.advance(1000)
    rewriting.tick()
    assert server.asked == 0


def test_an_idle_service_does_not_ask_redis_about_a_short_file(
    server: Server, rewriting: Rewriting, commands: Path
) -> None:
    (commands.parent / "appendonly.aof.2.base.rdb").write_bytes(b"x")
    resize(commands, LEAST_BYTES - 1)
    rewriting.tick()
    assert server.questions == 0
    resize(commands, LEAST_BYTES)
    rewriting.tick()
    assert server.questions == 1


def test_the_single_file_of_redis_6_counts_as_a_whole(server: Server, rewriting: Rewriting, commands: Path) -> None:
    commands.unlink()
    rewriting.tick()
    assert server.questions == 0, "there is no file yet"
    resize(commands.parents[1] / "appendonly.aof", LEAST_BYTES)
    rewriting.tick()
    assert server.questions == 1
