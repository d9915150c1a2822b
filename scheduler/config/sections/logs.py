"""Section Logs: the log files and the console."""

from __future__ import annotations

from typing import Literal

from scheduler.config.fields import PIB, Section, text, whole


class LogSettings(Section):
    directory: str = text("logs", r"^[^\x00-\x1f]+$", "the path of a folder")
    """Folder of the log files."""
    level: Literal["INFO", "WARNING", "ERROR"] = "INFO"
    """The lowest level that is logged."""
    max_bytes: int = whole(100 * 2**20, 1024, PIB)
    """Size at which a log file is rotated, besides every midnight of the server's zone (`TZ`)."""
    keep: int = whole(14, 1, 10_000)
    """Archives kept of each log file, the newest; a day with more than `Logs.MaxBytes` has several."""
    console: bool = True
    """Show on stderr what the service logs about itself. Messages to the `echo` channel are on stdout either way."""
    console_attempts: bool = False
    """Show each attempt of a webhook or job on stderr too: delivered, or tried again. Needs `Logs.Console`."""
