"""The header ``traceparent`` (W3C Trace Context): the trace that a request belongs to, and the step that sent it.

It is kept with the message and sent on as it came: the service takes no part in the trace, and receivers can.
"""

from __future__ import annotations

import re
from typing import Final

HEADER: Final = "traceparent"

_FORM: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def is_valid(text: str) -> bool:
    """Return whether receivers can read it: version, trace id, parent id (neither of them 0) and flags, in hex."""
    return _FORM.fullmatch(text) is not None
