"""Section Jobs: the modules of handlers, their threads, and `/api/jobs`."""

from __future__ import annotations

from dataclasses import replace

from pydantic import field_validator

from scheduler.config.fields import RATE, RATE_ACCEPTED, Section, commas, text, whole
from scheduler.config.sections.retry import RetrySettings
from scheduler.retry import UNLIMITED, RetryPolicy


class JobsSettings(Section):
    modules: str = text(
        "scheduler.jobs.examples",
        r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*(,[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)*)?$",
        "names of Python modules, several as a list or separated by commas",
    )
    """Modules that register job handlers. They are imported from the working folder, the folder of app.py or the
    environment of Python, by every process of a server."""
    fallback: str = text("", r"^[A-Za-z0-9_.:-]{0,128}$", "the name of a registered handler; empty for none")
    """Handler of the jobs whose type has none of its own; it sees the type as `context.type`. Empty: such jobs are
    refused."""
    workers: int = whole(10, 1, 1000)
    """Jobs of one type that run at once, at most. One of these threads belongs to the type, so that it never waits for
    the jobs of another; all types share the others."""
    rate_limit_per_user: str = text("60/minute", RATE, RATE_ACCEPTED)
    """Jobs that one `user_id` may submit to `POST /api/jobs`. Jobs beyond the limit get 429."""
    max_retries: int = whole(3, -1, 1_000_000)
    """How often a job of `/api/jobs` is tried again after it failed; -1 is without limit. The backoff is that of the
    section Retry."""

    @field_validator("modules", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return commas(value)

    def policy(self, retry: RetrySettings) -> RetryPolicy:
        """The policy of every job of `/api/jobs`: `MaxRetries`, with the backoff of ``retry``."""
        return replace(retry.policy(), max_attempts=UNLIMITED if self.max_retries < 0 else self.max_retries + 1)

    @property
    def module_names(self) -> list[str]:
        return self.modules.split(",") if self.modules else []
