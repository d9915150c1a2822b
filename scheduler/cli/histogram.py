"""Figures of lateness, and their picture for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

_EDGES_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_WIDTH: Final = 50
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Return the value that this share of all does not exceed (nearest rank)."""
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]


def summary(lateness_ms: Sequence[float]) -> dict[str, Any]:
    """Return p50, p90, p99, the latest and the earliest (ms), and the histogram's rows."""
    values = sorted(lateness_ms)
    figures = {f"p{round(share * 100)}": percentile(values, share) for share in (0.5, 0.9, 0.99)}
    return {**figures, "max": values[-1], "min": values[0], "histogram": rows(values)}


def rows(lateness_ms: Sequence[float]) -> list[dict[str, Any]]:
    """Return how many are below each edge and not below the one before; ``below_ms`` None is the rest."""
    counted = []
    low: float = -math.inf
    for edge in (*_EDGES_MS, math.inf):
        count = sum(low <= value < edge for value in lateness_ms)
        counted.append({"below_ms": None if edge == math.inf else edge, "count": count})
        low = edge
    while len(counted) > 1 and not counted[-1]["count"]:
        counted.pop()
    return counted


def drawn(counted: Sequence[dict[str, Any]]) -> str:
    """Return the histogram as lines with bars."""
    most = max(row["count"] for row in counted) or 1
    lines = []
    for row in counted:
        edge = f"< {row['below_ms']:>5} ms" if row["below_ms"] is not None else f"≥ {_EDGES_MS[-1]:>5} ms"
        eighths = round(row["count"] / most * _WIDTH * 8)
        # What is there at all is seen.
        eighths = max(eighths, 1) if row["count"] else 0
        bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
        lines.append(f"{edge}  {bar:<{_WIDTH}} {row['count']:>6}".rstrip())
    return "\n".join(lines)
