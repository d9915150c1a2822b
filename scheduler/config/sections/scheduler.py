"""Section Scheduler: how much is claimed, by how many workers, and how long things may take."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from scheduler.config.fields import Section, commas, number, text, whole


class SchedulerSettings(Section):
    batch_size: int = whole(100, 1, 1000)
    """Messages that are claimed at once."""
    workers: int = whole(10, 1, 1000)
    """Threads that deliver messages; job handlers have their own (Jobs.Workers)."""
    serves: str = text(
        "",
        r"^((echo|webhook|job(:[A-Za-z0-9_.:-]{1,128})?)(,(echo|webhook|job(:[A-Za-z0-9_.:-]{1,128})?))*)?$",
        "echo, webhook, job or job:<type>, several as a list or separated by commas; empty: everything",
    )
    """What this server delivers: echo and webhook messages, all jobs, or jobs of certain types. Empty: everything. So
    slow work can have servers of its own."""
    poll_seconds: float = number(1.0, 0.01, 3600)
    """Longest sleep of the scheduler: the safety net for a wake-up that was lost."""
    lock_seconds: float = number(5.0, 0.05, 3600)
    """Life of a lock on a message in flight, renewed at a third of it; the messages of a server that crashed run again
    after it."""
    reap_seconds: float = number(1.0, 0.01, 3600)
    """Time between two searches for expired locks."""
    heartbeat_seconds: float = number(1.0, 0.05, 10)
    """Time between two heartbeats of this server. After three missing ones it counts as gone."""
    grace_seconds: float = number(10.0, 0, 3600)
    """Time that attempts get to finish when the service stops; messages that have not finished by then are given
    back."""
    past: Literal["deliver", "reject"] = "deliver"
    """What happens to a message whose moment has passed when it is scheduled: it is delivered at once, or refused."""

    @field_validator("serves", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return commas(value)

    @property
    def served(self) -> list[str]:
        """``serves`` as a list."""
        return self.serves.split(",") if self.serves else []
