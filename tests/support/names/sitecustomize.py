"""Python loads this at its start when its folder is in ``PYTHONPATH``: the names in ``TEST_NAMES`` (``name=address``,
with spaces in between) then resolve to these addresses in that process.
"""

import os
import socket
from typing import Any

_names = dict(entry.split("=") for entry in os.environ.get("TEST_NAMES", "").split())
if _names:
    _resolve = socket.getaddrinfo

    def _of_the_test(host: Any, *arguments: Any, **more: Any) -> Any:
        return _resolve(_names.get(host, host), *arguments, **more)

    socket.getaddrinfo = _of_the_test
