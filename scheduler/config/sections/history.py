"""Section History: the database of finished messages."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from scheduler.config.database_url import ACCEPTED, database_url
from scheduler.config.fields import PIB, Section, checked, number, whole


class HistorySettings(Section):
    url: str = checked("auto", ACCEPTED)
    """Database for every finished message, the same for all servers. `auto` is SQLite in `Redis.DataDirectory` where
    Redis is the private one, and otherwise none; `off` or empty is none."""
    payloads: Literal["full", "hash", "none"] = "full"
    """What is kept of payloads: all, their SHA-256, or nothing. Targets and the evidence of attempts are kept in any
    case."""
    max_age_days: float = number(365.0, 0, 36_500)
    """How long finished messages are kept in the database; 0 is without limit."""
    max_rows: int = whole(10_000_000, 0, 10_000_000_000)
    """Finished messages that are kept in the database, the newest; 0 is without limit."""
    outbox_max_bytes: int = whole(256 * 2**20, 2**20, PIB)
    """Memory in Redis for messages that wait until the database has them."""
    when_full: Literal["drop", "wait"] = "drop"
    """What happens when they are more: the oldest are dropped from the history and counted, or no message ends until
    the database has taken some, and so deliveries stand still."""

    @field_validator("url")
    @classmethod
    def _names_a_database(cls, value: str) -> str:
        return database_url(value)
