"""Where the socket of the private Redis goes, and its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.redis_server import private as embedded
from scheduler.redis_server.private import EmbeddedRedis, socket_path
from tests.support.logger import RecordingLogger


def test_the_socket_is_in_the_data_directory_unless_the_path_is_too_long() -> None:
    assert socket_path(Path("/srv/data")) == Path("/srv/data/redis.sock")
    fits, too_long = Path("/" + "x" * 88), Path("/" + "x" * 89)
    assert len(str(fits / "redis.sock")) == embedded.LONGEST_SOCKET_PATH
    assert socket_path(fits).parent == fits
    assert socket_path(too_long).parent != too_long
    assert socket_path(too_long) != socket_path(Path("/" + "y" * 89))


def test_a_long_redis_log_is_set_aside(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LARGEST_LOG", 10)
    (short_tmp / "redis.log").write_text("more than ten characters")
    EmbeddedRedis(short_tmp, RecordingLogger())._prepare_directory()
    assert (short_tmp / "redis.log.1").read_text() == "more than ten characters"
    assert not (short_tmp / "redis.log").exists()


def test_a_server_that_ended_without_a_word_may_have_had_no_room_for_one(short_tmp: Path) -> None:
    (short_tmp / "redis.log").touch()
    assert "the disk may be full" in EmbeddedRedis(short_tmp, RecordingLogger())._exit_message(1)
