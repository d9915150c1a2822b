"""Rotated log files: compressed in a thread of their own, and bounded in number."""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 256 * 1024
"""zlib lets other threads run while it works on a chunk; small ones would ask for the interpreter all the time."""
_LEVEL: Final = 1
"""Log lines shrink to a tenth at the lowest level already; higher ones take the time of delivering threads."""


class Archive:
    """The rotated files of one log file, ``<name>.<when>.log``, and their archives, ``<name>.<when>.log.zip``."""

    def __init__(self, directory: Path, name: str, keep: int) -> None:
        """``keep``: rotated files of this log that stay, the newest."""
        self.path: Final = directory / f"{name}.log"
        self._directory = directory
        self._keep = keep
        # The date keeps the files of "scheduler.error" from being taken for rotated ones of "scheduler".
        self._rotated = re.compile(rf"{re.escape(name)}\.\d{{4}}-\d\d-\d\d[^/]*\.log")
        # Its thread starts with the first file and is waited for when the process ends.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"archive-{name}")

    def adopt_leftovers(self) -> None:
        """Compress what an earlier run had rotated when it was killed.  Raises OSError: the folder is not readable."""
        for path in list(self._directory.iterdir()):
            if self._rotated.fullmatch(path.name.removesuffix(".zip.part")):
                if path.suffix == ".part":
                    path.unlink(missing_ok=True)
                elif path.suffix == ".log":
                    self.add(path)

    def add(self, path: Path) -> None:
        """Compress a rotated file soon.  Returns at once."""
        # After close: the file stays as it is, and the next start adopts it.
        with suppress(RuntimeError):
            self._worker.submit(self._archive, path)

    def close(self) -> None:
        """Finish what was added."""
        self._worker.shutdown(wait=True)

    def _archive(self, path: Path) -> None:
        # Old ones go first: when the disk is full, that is what makes room for the new one.
        try:
            self._prune()
            self._compress(path)
        except Exception as error:  # noqa: BLE001 - the file stays uncompressed, and the next start tries again
            with suppress(Exception):
                sys.stderr.write(f"log file {path.name} is not compressed: {type(error).__name__}: {error}\n")

    def _compress(self, path: Path) -> None:
        if not path.exists():
            return
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
        # A name appears only when its archive is whole; a crash before the next line leaves both, and the next start
        # compresses the file once more, over the same archive.
        part.replace(target)
        path.unlink()

    def _prune(self) -> None:
        kept = [path for path in self._directory.iterdir() if self._rotated.fullmatch(path.name.removesuffix(".zip"))]
        # The name holds the date, so the order of names is the order of time.
        for path in sorted(kept, key=lambda path: path.name, reverse=True)[self._keep :]:
            path.unlink(missing_ok=True)
