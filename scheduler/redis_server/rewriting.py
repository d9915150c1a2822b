"""Keep the append-only file of the private Redis short, so that a start after a crash is quick.

The file is a snapshot and, behind it, every command since: what took one command each is loaded several times more
slowly than the snapshot.  Redis alone rewrites it when the commands have grown as large as the snapshot: with ten
million messages that is a minute of loading.  This thread has it rewritten sooner, as long as that takes no more than a
tenth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import redis

from scheduler.clock import Clock
from scheduler.process.waking import WakingThread

EVERY_SECONDS: Final = 5.0
LEAST_BYTES: Final = 64 * 2**20
"""Commands behind the snapshot: less is loaded within seconds."""
_RULE: Final = "auto-aof-rewrite-percentage"
"""0 while an operator copies the files (docs/production.md)."""
SHARE: Final = 0.1
"""Part of the time that may go into rewriting: it takes a processor, and Redis pauses when it begins."""


class Rewriting:
    """A thread that asks for rewrites from ``start`` to ``stop``."""

    def __init__(self, client: Callable[[], redis.Redis], directory: Path, clock: Clock) -> None:
        """``client``: makes one to the private Redis.  ``directory``: its data folder."""
        self._client = client
        self._directory = directory
        self._clock = clock
        self._thread = WakingThread("aof-rewriting", self._step, clock)
        self._ended = clock.monotonic()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    def tick(self) -> None:
        """Ask for a rewrite when one is due.  Raises redis-py's errors, and ``OSError``."""
        # Mostly the file is short, and Redis does not have to be asked.
        if self._on_disk() < LEAST_BYTES:
            return
        with self._client() as client:
            info = client.info("persistence")
            if int(info["aof_rewrite_in_progress"]) or int(info["aof_rewrite_scheduled"]):
                self._ended = self._clock.monotonic()
            elif self._is_due(info) and client.config_get(_RULE)[_RULE] != "0":
                client.bgrewriteaof()

    def _on_disk(self) -> int:
        """Return the bytes of commands on disk; with Redis 6 those of the snapshot too, as it keeps a single file."""
        files = [*self._directory.glob("appendonlydir/*.incr.aof"), *self._directory.glob("appendonly.aof")]
        return sum(file.stat().st_size for file in files)

    def _is_due(self, info: Mapping[str, Any]) -> bool:
        behind = int(info["aof_current_size"]) - int(info["aof_base_size"])
        # -1 before the first rewrite since Redis started.
        took = max(0, int(info["aof_last_rewrite_time_sec"]))
        return behind >= LEAST_BYTES and self._clock.monotonic() - self._ended >= took / SHARE

    def _step(self) -> float:
        # Redis may be away, load its file, or replace it just now; its own rule goes on to hold.
        with suppress(redis.RedisError, OSError, KeyError, ValueError):
            self.tick()
        return EVERY_SECONDS
