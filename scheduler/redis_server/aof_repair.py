"""Repair an append-only file that a power cut damaged, or tell the operator how to."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Final

_CHUNK: Final = 65_536
_DAMAGED: Final = re.compile(r"Bad file format reading the append only file:? ?([\w.]*)")


def cut_zeros(directory: Path) -> dict[Path, int]:
    """Cut the zero bytes off the ends of the append-only files; return how many by file.

    After a power cut a file may have its new length while its last bytes were not written and read as zeros.  Redis
    refuses such a file, although it cuts off an unfinished command by itself.  No complete command ends in a zero byte,
    so nothing readable is lost.  No server may have the files open.
    """
    cut = {}
    # Only the .incr files consist of commands.  A base file may end in zeros.
    for file in sorted(directory.glob("appendonlydir/*.incr.aof")):
        with file.open("r+b") as opened:
            size = opened.seek(0, os.SEEK_END)
            if (length := _length_without_zeros(opened.fileno(), size)) < size:
                opened.truncate(length)
                os.fsync(opened.fileno())
                cut[file] = size - length
    return cut


def _length_without_zeros(descriptor: int, size: int) -> int:
    while size:
        start = max(0, size - _CHUNK)
        kept = os.pread(descriptor, size - start, start).rstrip(b"\0")
        if kept:
            return start + len(kept)
        size = start
    return 0


def way_out(directory: Path, binary: str, log: str) -> str:
    """Return a sentence with the command that cuts off a damaged end; ``""`` when the log reports no damage."""
    found = _DAMAGED.search(log)
    if not found:
        return ""
    file = directory / "appendonlydir" / found[1] if found[1] else directory / "appendonly.aof"
    # Started under the name redis-check-aof, the server is its own repair tool.  It gets the file and not the manifest:
    # with a manifest, Valkey 9.1 reports every base file as damaged.
    command = f"exec -a redis-check-aof {shlex.quote(binary)} --fix {shlex.quote(str(file))}"
    return (
        f"\nThe file is damaged. Copy {directory} first; then this command cuts the file off where it can no longer be "
        f"read, and what was written after that place is lost:\n  bash -c {shlex.quote(command)}"
    )
