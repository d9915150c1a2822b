"""Sync the append-only file of the private Redis to disk once a second, in place of Redis.

With ``appendfsync everysec``, Redis postpones a write while its own background sync runs, and answers the client before
the write.  If it is killed then, accepted messages are lost (39 of 1,519 in one of eight kills on a busy disk, make
chaos).  With ``appendfsync no``, Redis always writes before it answers, so killing any process loses nothing.  This
thread then limits the loss after a power cut to about a second, as everysec would.
"""

from __future__ import annotations

import os
from pathlib import Path

from scheduler.clock import Clock
from scheduler.logs.sinks import Logger
from scheduler.process.waking import WakingThread

EVERY_SECONDS = 1.0


class DiskSync:
    """A thread that syncs the files every second from ``start`` to ``stop``."""

    def __init__(self, directory: Path, logger: Logger, clock: Clock) -> None:
        """``directory``: Redis's data folder."""
        self._directory = directory
        self._logger = logger
        self._thread = WakingThread("disk-sync", self._step, clock)
        self._synced: dict[Path, tuple[int, int]] = {}
        self._failing = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    def tick(self) -> int:
        """Sync the files that have changed; return how many."""
        # Redis 7 keeps several files in a folder, Redis 6 a single file.
        files = [*self._directory.glob("appendonlydir/*.aof"), *self._directory.glob("appendonly.aof")]
        return sum(self._sync(file) for file in files)

    def _sync(self, file: Path) -> bool:
        try:
            state = file.stat()
            seen = (state.st_size, state.st_mtime_ns)
            if self._synced.get(file) == seen:
                return False
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:  # Redis has rewritten the file, and syncs the new one itself
            self._synced.pop(file, None)
            return False
        self._synced[file] = seen
        return True

    def _step(self) -> float:
        try:
            self.tick()
            self._failing = False
        except OSError as error:
            if not self._failing:
                self._failing = True
                self._logger.error(
                    f"cannot sync {self._directory} to disk: {error}. A power cut may lose messages that were "
                    f"accepted since. It is tried again every {EVERY_SECONDS:g} s."
                )
        return EVERY_SECONDS
