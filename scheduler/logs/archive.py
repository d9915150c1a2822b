"""Rotate log files, compress them, name them by their day, and delete the oldest."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from scheduler.clock import Clock

if TYPE_CHECKING:
    from loguru import Message

_CHUNK_BYTES: Final = 256 * 1024
"""zlib lets other threads run while it works on a chunk; small chunks would take the interpreter lock too often."""
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
ROTATION_RETRY_SECONDS: Final = 60.0
"""A rotation that failed is tried again after this time; until then the file just grows."""
_LEVEL: Final = 1
"""The lowest level shrinks log lines to a tenth already; higher ones take CPU time from deliveries."""


class Archive:
    """The rotated files of one log file: ``<name>.<day>.log.zip`` and, where a day has several,
    ``<name>.<day>.2.log.zip`` and so on, in their order.  The day is that of the first entry, in the server's zone.
    """

    def __init__(self, directory: Path, name: str, keep: int, say: Callable[[str], None]) -> None:
        """``keep``: how many rotated files of this log are kept.  ``say``: reports what went wrong; never raises."""
        self.path: Final = directory / f"{name}.log"
        self._directory = directory
        self._name = name
        self._keep = keep
        self._say = say
        # The date keeps the files of "scheduler.error" from being taken for rotated ones of "scheduler".  loguru names
        # a file by day and time when it rotates it, before this module gives it its own name.
        self._rotated = re.compile(rf"{re.escape(name)}\.(\d{{4}}-\d\d-\d\d)(?:\.(\d+))?(_[^/]*)?\.log")
        # Its thread starts with the first file and is waited for when the process ends.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"archive-{name}")

    def adopt_leftovers(self) -> None:
        """Compress files that a killed run left rotated.  Raises OSError when the folder is not readable."""
        for path in list(self._directory.iterdir()):
            if self._rotated.fullmatch(path.name.removesuffix(".zip.part")):
                if path.suffix == ".part":
                    path.unlink(missing_ok=True)
                elif path.suffix == ".log":
                    self.add(path)

    def add(self, path: Path) -> None:
        """Compress a rotated file soon; return at once."""
        # After close: the file stays as it is, and the next start adopts it.
        with suppress(RuntimeError):
            self._worker.submit(self._archive, path)

    def close(self) -> None:
        """Finish what was added."""
        self._worker.shutdown(wait=True)

    def _archive(self, path: Path) -> None:
        try:
            if path.exists():
                named = self._named_by_day(path)
                # Before compressing: on a full disk this frees the space for the new archive.
                self._prune()
                self._compress(named)
        except Exception as error:  # noqa: BLE001 - the file stays uncompressed, and the next start tries again
            self._say(f"log file {path.name} is not compressed: {type(error).__name__}: {error}")

    def _named_by_day(self, path: Path) -> Path:
        """Return the file under its final name; an earlier run may have renamed it already."""
        found = self._rotated.fullmatch(path.name)
        if found is None or found[3] is None:
            return path
        with path.open("rb") as file:
            begin = file.read(len("2027-01-15")).decode("ascii", "replace")
        day = begin if _DAY.fullmatch(begin) else found[1]
        last = max((number for other, number, _ in self._files() if other == day), default=0)
        named = path.with_name(f"{self._name}.{day}{f'.{last + 1}' if last else ''}.log")
        path.rename(named)
        return named

    def _files(self) -> list[tuple[str, int, Path]]:
        """Return day, number within the day and path of each rotated file with a final name, the oldest first."""
        found = [(self._rotated.fullmatch(p.name.removesuffix(".zip")), p) for p in self._directory.iterdir()]
        return sorted((m[1], int(m[2] or 1), path) for m, path in found if m and not m[3])

    def _compress(self, path: Path) -> None:
        target = path.with_name(path.name + ".zip")
        part = path.with_name(path.name + ".zip.part")
        try:
            with zipfile.ZipFile(
                part, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL, strict_timestamps=False
            ) as archive:
                entry = zipfile.ZipInfo.from_file(path, path.name, strict_timestamps=False)
                entry.compress_type = zipfile.ZIP_DEFLATED
                with path.open("rb") as source, archive.open(entry, "w") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK_BYTES)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        # The archive gets its name when it is complete.  A crash before the next line leaves both files, and the next
        # start compresses the file once more, over the same archive.
        part.replace(target)
        path.unlink()

    def _prune(self) -> None:
        for _, _, path in self._files()[: -self._keep]:
            path.unlink(missing_ok=True)


class Rotation:
    """Tells loguru before each write whether to rotate: at the first entry of a day, and beyond the largest size."""

    def __init__(self, max_bytes: int, clock: Clock) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._day = ""
        self._pending = False
        self._not_before = 0.0

    def __call__(self, message: Message, file: TextIO) -> bool:
        if self._pending:
            # The last rotation failed.  Each try loses the current entry, so it is not tried at every one.
            self._pending = False
            self._not_before = self._clock.monotonic() + ROTATION_RETRY_SECONDS
        now = message.record["time"]
        today = now.date().isoformat()
        stat = os.fstat(file.fileno())
        # A file of an earlier run belongs to the day of its last entry.
        day = self._day or datetime.fromtimestamp(stat.st_mtime, tz=now.tzinfo).date().isoformat()
        self._day = today
        if not stat.st_size or self._clock.monotonic() < self._not_before:
            return False
        self._pending = today > day or stat.st_size + len(message) > self._max_bytes
        return self._pending

    def done(self) -> None:
        """Note that the rotation has happened."""
        self._pending = False
