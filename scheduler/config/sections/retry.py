"""Section Retry: the policy of messages that bring none of their own."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from scheduler.config.fields import DAY, YEARS, Section, number, plain
from scheduler.retry import RetryPolicy


class RetrySettings(Section):
    max_attempts: int = Field(
        default=5, ge=-1, le=1_000_000, json_schema_extra={"accepted": "-1, or a whole number from 1 to 1000000"}
    )
    """Attempts to deliver a message, the first included; -1 is without limit. A message may bring its own."""
    base_seconds: float = number(1.0, 0, DAY)
    """Backoff after the first failed attempt."""
    factor: float = number(2.0, 1, 1000)
    """Growth of the backoff from one attempt to the next."""
    cap_seconds: float = number(300.0, 0, YEARS)
    """The longest backoff."""
    jitter: bool = True
    """Draw each delay evenly between 0 and the backoff, so that messages that failed together are not tried again
    together."""

    @field_validator("max_attempts")
    @classmethod
    def _not_zero(cls, value: int) -> int:
        if value == 0:
            raise ValueError("a message is tried at least once")
        return value

    @model_validator(mode="after")
    def _cap_above_base(self) -> Self:
        if self.cap_seconds < self.base_seconds:
            raise ValueError(
                f"Retry.CapSeconds: {plain(self.cap_seconds)} is less than Retry.BaseSeconds, "
                f"{plain(self.base_seconds)}; accepted: a cap that is not below the base"
            )
        return self

    def policy(self) -> RetryPolicy:
        """The policy of every message that brings none of its own."""
        return RetryPolicy(self.max_attempts, self.base_seconds, self.factor, self.cap_seconds, self.jitter)
