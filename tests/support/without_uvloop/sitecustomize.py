"""On the search path of a service: uvloop cannot be imported, as on a system that has no wheel of it."""

import sys

sys.modules["uvloop"] = None  # type: ignore[assignment]
