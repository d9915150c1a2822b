"""The private redis-server, for real: started, killed, orphaned, refused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import redis

from scheduler.errors import StartError
from scheduler.redis_server import disk_sync
from scheduler.redis_server import private as embedded
from scheduler.redis_server.binary import find_server
from scheduler.redis_server.connections import check_server, connect
from scheduler.redis_server.private import EmbeddedRedis
from tests.support.logger import RecordingLogger
from tests.support.processes import alive
from tests.support.redis_server import find_binary
from tests.support.store import store_on
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _binary() -> None:
    find_binary()


@pytest.fixture
def logger() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def server(short_tmp: Path, logger: RecordingLogger) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(short_tmp / "data", logger)
    server.start()
    yield server
    server.stop()


def test_it_serves_on_a_private_socket_and_keeps_an_append_only_file(server: EmbeddedRedis) -> None:
    with connect(server.url) as client:
        report = check_server(client)
        configuration = client.config_get()
    assert report.persistence == "append-only file"
    assert report.warnings == report.notices == []
    assert configuration["port"] == "0"
    assert configuration["appendfsync"] == "no", "everysec answers before it writes; disk_sync.py syncs"
    assert configuration["hash-max-ziplist-value"] == "1024"
    assert server.directory.stat().st_mode & 0o777 == 0o700
    assert server.socket.stat().st_mode & 0o777 == 0o700
    assert psutil.Process(server.pid).net_connections("tcp") == []


def test_while_it_runs_its_file_is_synced_to_disk(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    monkeypatch.setattr(disk_sync, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.set())
    server = EmbeddedRedis(short_tmp / "data", RecordingLogger())
    server.start()
    try:
        assert synced.wait(30)
    finally:
        server.stop()


def test_what_was_stored_is_there_after_stop_and_start(server: EmbeddedRedis, logger: RecordingLogger) -> None:
    with connect(server.url) as client:
        client.set("message", "kept")
    server.stop()
    assert not alive(server.pid)
    again = EmbeddedRedis(server.directory, logger)
    again.start()
    try:
        with connect(again.url) as client:
            assert client.get("message") == "kept"
    finally:
        again.stop()


def test_a_killed_one_is_started_again_with_what_it_had(server: EmbeddedRedis, logger: RecordingLogger) -> None:
    with connect(server.url) as client:
        client.set("message", "kept")
        killed = server.pid
        assert killed
        os.kill(killed, signal.SIGKILL)
        logger.wait_for("redis-server answers", count=2)
        assert server.pid != killed
        assert client.get("message") == "kept"
    assert any("ended with code -9" in line for line in logger.errors)


def test_it_is_in_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(server: EmbeddedRedis) -> None:
    assert os.getsid(server.pid or 0) == server.pid != os.getsid(0)


def test_a_second_service_in_the_folder_is_told_who_holds_it(server: EmbeddedRedis) -> None:
    second = EmbeddedRedis(server.directory, RecordingLogger())
    with pytest.raises(StartError) as refused:
        second.start()
    assert str(server.directory) in str(refused.value)
    assert f"process {os.getpid()}" in str(refused.value)
    with connect(server.url) as client:
        assert client.ping()


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_kill_9_of_the_service_leaves_nothing_that_the_next_start_cannot_take_over(
    short_tmp: Path, logger: RecordingLogger, system: str
) -> None:
    """On Linux the server ends with its parent; where nothing does that, it outlives it and the next start ends it."""
    pdeathsig = system == "linux"
    script = f"""
import sys
from pathlib import Path
from scheduler.redis_server import connections as connect
from scheduler.redis_server import private as embedded
from tests.support.logger import RecordingLogger
sys.platform = {system!r}
server = embedded.EmbeddedRedis(Path({str(short_tmp)!r}) / "data", RecordingLogger())
server.start()
connect.connect(server.url).set("message", "kept")
print(server.pid, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        orphan = int(parent.stdout.readline())
        parent.kill()
    if pdeathsig and sys.platform == "linux":
        wait_for("redis-server ends with its parent", lambda: not alive(orphan))
    server = EmbeddedRedis(short_tmp / "data", logger)
    server.start()
    try:
        assert not alive(orphan)
        with connect(server.url) as client:
            assert client.get("message") == "kept"
    finally:
        server.stop()
    assert any("earlier run" in line for line in logger.infos) is not pdeathsig


def test_an_orphan_that_does_not_end_is_named_and_left_alone(
    server: EmbeddedRedis, logger: RecordingLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STOP_SECONDS", 0.1)
    assert server._service_lock is not None
    os.close(server._service_lock)  # as if its service had been killed
    server._service_lock = None
    monkeypatch.setattr(EmbeddedRedis, "_shut_down_orphan", lambda self: True)
    second = EmbeddedRedis(server.directory, logger)
    with pytest.raises(StartError, match="does not end"):
        second.start()
    with connect(server.url) as client:
        assert client.ping()


def test_a_path_too_long_for_a_socket_moves_the_socket_only(short_tmp: Path, logger: RecordingLogger) -> None:
    directory = short_tmp / ("long" * 30)
    server = EmbeddedRedis(directory, logger)
    assert len(os.fsencode(server.socket)) <= embedded.LONGEST_SOCKET_PATH
    assert embedded.socket_path(directory) == server.socket  # the same at every start: that is how an orphan is found
    server.start()
    try:
        with connect(server.url) as client:
            client.set("message", "kept")
        assert server.socket.parent.stat().st_mode & 0o777 == 0o700
        assert (directory / "redis.log").exists()
    finally:
        server.stop()
        server.socket.parent.rmdir()


@pytest.mark.parametrize("name", ["a blank", "per%41cent", "ha#sh", "que?stion", "quo'te\"", "ümläut"])
def test_any_name_of_a_folder_will_do(short_tmp: Path, logger: RecordingLogger, name: str) -> None:
    server = EmbeddedRedis(short_tmp / name / "data", logger)
    server.start()
    try:
        with connect(server.url) as client:
            assert client.ping()
        assert server.socket == short_tmp / name / "data" / "redis.sock"
    finally:
        server.stop()


# ------------------------------------------------------------------------------------------- folders of other servers


@contextmanager
def opened(directory: Path, logger: RecordingLogger) -> Iterator[redis.Redis]:
    """A client of a private Redis in this folder, for as long as the context lasts."""
    server = EmbeddedRedis(directory, logger)
    server.start()
    try:
        with connect(server.url) as client:
            yield client
    finally:
        server.stop()


@pytest.mark.parametrize("written_by", ["redis-6.2", "redis-7.0"])
def test_a_folder_that_an_older_redis_wrote_is_opened(
    short_tmp: Path, logger: RecordingLogger, written_by: str
) -> None:
    shutil.copytree(ROOT / "tests" / "support" / "folders" / written_by, short_tmp / "data")
    for _ in "first start", "second start":
        with opened(short_tmp / "data", logger) as client:
            store = store_on(client)
            store.open()
            assert [message.id for message in store.page().messages] == ["after", "before"]
    assert logger.errors == []


def test_a_folder_that_the_server_of_the_wheel_cannot_read_is_refused_before_it_is_touched(
    short_tmp: Path, logger: RecordingLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    find_server()
    base = short_tmp / "data" / "appendonlydir" / "appendonly.aof.1.base.rdb"
    base.parent.mkdir(parents=True)
    base.write_bytes(b"REDIS0012\xfa")
    with pytest.raises(StartError, match=r"format REDIS0012.*no server of this machine reads its files"):
        EmbeddedRedis(short_tmp / "data", logger).start()
    assert [path.name for path in base.parent.iterdir()] == [base.name]


def damage(directory: Path, logger: RecordingLogger, tail: bytes) -> Path:
    """Store a value, stop, and append this to the append-only file."""
    with opened(directory, logger) as client:
        client.set("message", "kept")
    (file,) = directory.glob("appendonlydir/*.incr.aof")
    with file.open("ab") as opened_file:
        opened_file.write(tail)
    return file


@pytest.mark.parametrize("unfinished", [b"", b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$9\r\n\0\0"], ids=["whole", "cut"])
def test_zeros_that_a_power_cut_left_at_the_end_of_the_file_are_cut_off(
    short_tmp: Path, logger: RecordingLogger, unfinished: bytes
) -> None:
    file = damage(short_tmp / "data", logger, unfinished + bytes(150_000))
    with opened(short_tmp / "data", logger) as client:
        assert client.get("message") == "kept"
        client.set("message", "changed")
    (said,) = logger.errors
    assert f"{file} ended in 150," in said
    with opened(short_tmp / "data", logger) as client:
        assert client.get("message") == "changed"
    assert len(logger.errors) == 1


def test_other_damage_is_refused_with_the_command_that_mends_it(short_tmp: Path, logger: RecordingLogger) -> None:
    directory = short_tmp / "a blank"
    damage(directory, logger, b"no command")
    with pytest.raises(StartError, match=r"Copy .* first") as refused:
        EmbeddedRedis(directory, logger).start()
    command = str(refused.value).splitlines()[-1]
    subprocess.run(command, shell=True, input=b"y\n", check=True, capture_output=True, timeout=30)
    with opened(directory, logger) as client:
        assert client.get("message") == "kept"


def test_a_directory_that_cannot_be_made_is_named(short_tmp: Path, logger: RecordingLogger) -> None:
    (short_tmp / "data").write_text("a file")
    with pytest.raises(StartError, match=r"data cannot be used .*Redis\.DataDirectory"):
        EmbeddedRedis(short_tmp / "data", logger).start()


def test_a_full_disk_is_named(short_tmp: Path, logger: RecordingLogger, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StartError, match=r"No space left on device.*make room"):
        EmbeddedRedis(short_tmp / "data", logger).start()


def test_a_redis_that_refuses_to_start_is_quoted(short_tmp: Path, logger: RecordingLogger) -> None:
    directory = short_tmp / "data"
    directory.mkdir()
    (directory / "appendonlydir").write_text("not a folder")
    with pytest.raises(StartError) as refused:
        EmbeddedRedis(directory, logger).start()
    assert "redis.log" in str(refused.value)
    assert "appendonly" in str(refused.value).rpartition("redis.log")[2]
    assert not [thread for thread in threading.enumerate() if "redis-server" in thread.name]


def test_stop_kills_a_redis_that_hangs(server: EmbeddedRedis) -> None:
    server._supervisor._child = replace(server._supervisor._child, stop_seconds=0.2)
    assert server.pid
    os.kill(server.pid, signal.SIGSTOP)
    server.stop()
    assert not alive(server.pid)


def test_stop_is_quiet_and_may_be_repeated(server: EmbeddedRedis, logger: RecordingLogger) -> None:
    server.stop()
    server.stop()
    assert logger.errors == []
    with connect(server.url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
