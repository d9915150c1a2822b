"""Section Schedules: the file that says which there are."""

from __future__ import annotations

from scheduler.config.fields import Section, text


class SchedulesSettings(Section):
    file: str = text("", r"^[^\x00-\x1f]*$", "the path of a JSON or TOML file; empty for none")
    """Schedules that are to exist: each start puts them by id, and what has not changed stays as it is. Others are left
    alone unless the file says so."""
