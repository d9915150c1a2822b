"""The private Redis's append-only file, synced to disk once a second, by us and not by Redis.

With ``appendfsync everysec`` Redis puts a write off while its own background sync is under way, and answers all the
same: killed in that moment it forgets what it accepted (39 of 1,519 messages in one of eight kills on a busy disk,
make chaos). With ``appendfsync no`` it always writes before it answers, so that killing any process loses nothing;
this thread bounds what a power cut may cost, as everysec would.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from scheduler.clock import Clock
from scheduler.logs.sinks import Logger

EVERY_SECONDS = 1.0


class DiskSync:
    """``start``, ``stop``; in between, what was written is on disk a second later."""

    def __init__(self, directory: Path, logger: Logger, clock: Clock) -> None:
        """``directory``: Redis's data folder."""
        self._directory = directory
        self._logger = logger
        self._clock = clock
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._synced: dict[Path, tuple[int, int]] = {}
        self._failing = False

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="disk-sync", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def tick(self) -> int:
        """Sync the files that have changed; how many."""
        # Redis 7 keeps its parts in a folder of their own, Redis 6 one file.
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
        except FileNotFoundError:  # rewritten meanwhile: Redis syncs what replaces it
            self._synced.pop(file, None)
            return False
        self._synced[file] = seen
        return True

    def _loop(self) -> None:
        while not self._clock.wait(self._stopping, EVERY_SECONDS):
            try:
                self.tick()
                self._failing = False
            except OSError as error:
                if not self._failing:
                    self._failing = True
                    self._logger.error(f"cannot sync {self._directory} to disk, trying on: {error}")
