"""Python loads this at its start when its folder is in ``PYTHONPATH``: the wall clock of that process then differs by
what stands in the file ``CHAOS_CLOCK`` (8 bytes, signed, ns), and follows it while the process runs.
"""

import mmap
import os
import struct
import time
from pathlib import Path

_file = os.environ.get("CHAOS_CLOCK")
if _file:
    with Path(_file).open("rb") as _opened:
        _offset = mmap.mmap(_opened.fileno(), 8, prot=mmap.PROT_READ)
    _time_ns = time.time_ns

    def _shifted_ns() -> int:
        offset: int = struct.unpack("q", _offset[:8])[0]
        return _time_ns() + offset

    time.time_ns = _shifted_ns
    time.time = lambda: _shifted_ns() / 1e9
