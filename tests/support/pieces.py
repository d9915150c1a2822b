"""Queues of flow keys in small pieces: what happens with hundreds of messages at a key happens with a few."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler.store import scripts


@contextmanager
def pieces_of(most: int, folder: Path) -> Iterator[None]:
    """Let the scripts of this process make pieces of at most ``most`` places, an even number; ``folder`` is empty."""
    before, copied = scripts.LUA, folder / "lua"
    shutil.copytree(before, copied)
    file = copied / "_flow_queues.lua"
    text = file.read_text("utf-8")
    assert text.count("local MOST = 128\n") == 1
    file.write_text(text.replace("local MOST = 128\n", f"local MOST = {most}\n"), "utf-8")
    scripts.LUA = copied
    scripts.load.cache_clear()
    try:
        yield
    finally:
        scripts.LUA = before
        scripts.load.cache_clear()
