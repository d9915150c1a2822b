"""Which modules have figures: add a module's name here, and its rows are in the table and in the tests."""

from __future__ import annotations

from importlib import import_module

from bench.table import Figure

MODULES = (
    *("drain", "ingest", "lateness", "memory", "idle", "recovery", "scale", "burst"),
    *("webhook", "jobs", "lanes", "flow", "scaling", "events", "history", "schedules", "otel"),
)
"""In the order of the table.  Each module of this package has ``FIGURES: tuple[Figure, ...]``."""


def figures() -> list[Figure]:
    """All rows, not yet measured."""
    return [figure for name in MODULES for figure in import_module(f"bench.{name}").FIGURES]
