"""Real servers for the history, each in a folder of its own and without the safety that a test does not need."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.programs import need
from tests.support.waiting import free_port, wait_for

_NODE_MODULES = Path(__file__).parent / "mongodb" / "node_modules"
JONGODB = _NODE_MODULES / "@jongodb" / "memory-server-bin-linux-x64-gnu" / "bin" / "jongodb"
"""A server that speaks MongoDB's wire protocol; make test installs it.  There is none for other processors."""


@contextmanager
def postgresql() -> Iterator[str]:
    """Yield the address of a fresh PostgreSQL."""
    need("pg_ctlcluster")
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
    # Neither initdb nor the server runs as root.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        common = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        made = [binaries / "initdb", "-D", "data", "-U", "history", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(made, check=True, **common)  # type: ignore[call-overload]
        port = free_port()
        options = [
            f"-cport={port}",
            "-clisten_addresses=127.0.0.1",
            f"-cunix_socket_directories={folder}",
            "-cfsync=off",
        ]
        server = subprocess.Popen([binaries / "postgres", "-D", "data", *options], **common)  # type: ignore[call-overload]
        try:
            _wait_for(port, server)
            wait_for("PostgreSQL takes connections", lambda: _is_ready(binaries, port), 30)
            yield f"postgresql://history@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait()


@contextmanager
def mysql() -> Iterator[str]:
    """Yield the address of a fresh MariaDB."""
    program = need("mariadbd")
    user = "mysql" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        common = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        plain = ["--no-defaults", f"--datadir={folder}/data"]
        made = ["mariadb-install-db", *plain, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(made, check=True, **common)  # type: ignore[call-overload]
        port = free_port()
        listen = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket", "--skip-log-bin"]
        loose = ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]
        server = subprocess.Popen([program, *plain, *listen, *loose], **common)  # type: ignore[call-overload]
        try:
            _wait_for(port, server)
            yield f"mysql://root@127.0.0.1:{port}/history"
        finally:
            server.terminate()
            server.wait()


def _is_ready(binaries: Path, port: int) -> bool:
    asked = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
    return subprocess.run(asked, check=False).returncode == 0


@contextmanager
def mongodb() -> Iterator[str]:
    """Yield the address of a fresh server that speaks MongoDB's protocol."""
    if not JONGODB.is_file():
        # In CI too: it comes by npm alone, and the image of docker-compose run test has none.
        pytest.skip("no server for MongoDB's protocol: cd tests/support/mongodb && npm ci")
    port = free_port()
    server = subprocess.Popen(
        [JONGODB, "--host=127.0.0.1", f"--port={port}", "--database=test"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, server)
        yield f"mongodb://127.0.0.1:{port}/test"
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        assert server.poll() is None, f"the server ended with code {server.returncode}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for("the server answers", answers, 30)
