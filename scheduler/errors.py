"""Every error that this service raises on purpose.

The text of each is a sentence that says what is wrong and, if possible, what to do.  The HTTP layer maps the classes to
status codes (api/http/problems.py); no code reads the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ServiceError(Exception):
    """Base of all errors of this service."""


class FieldError(NamedTuple):
    """One thing that is wrong with one field of an input."""

    field: str
    """Dotted path, list indexes included: ``messages.3.time``.  Empty for the input as a whole."""
    message: str
    """What is wrong and what is accepted."""


class InvalidInput(ServiceError):
    """An input that cannot be accepted (HTTP 400); nothing was stored."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{e.field}: {e.message}" if e.field else e.message for e in errors))
        self.errors = list(errors)

    @classmethod
    def of(cls, field: str, message: str) -> InvalidInput:
        return cls([FieldError(field, message)])


class NotFound(ServiceError):
    """No message has this id (HTTP 404)."""


class Conflict(ServiceError):
    """The message's state forbids the verb, or an id or idempotency key is taken (HTTP 409)."""


class StoreUnavailable(ServiceError):
    """Redis did not answer in time, or refused (HTTP 503).  Safe to try again: no verb stores by half."""

    def __init__(self, message: str, retry_after: float = 1.0, reason: str = "Redis does not answer") -> None:
        super().__init__(message)
        self.reason = reason
        """The cause in words for clients, without addresses and without a full stop."""
        self.retry_after = retry_after
        """Seconds after which another try makes sense."""


class HistoryUnavailable(ServiceError):
    """The database of the history did not answer in time, or refused (HTTP 503)."""


class LayoutError(ServiceError):
    """The data in Redis was written by another layout version or with another number of partitions."""


class ConfigError(ServiceError):
    """Settings that cannot be used.  ``problems``: a line per setting with its key and the accepted values."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class StartError(ServiceError):
    """The service cannot start here (port taken, folder in use, no redis-server …); the text names the ways out."""


class RedisAway(StartError):
    """Redis does not answer, or not yet: the same start may succeed later, unlike one with wrong settings."""


class StartCancelled(ServiceError):
    """The service was asked to stop before its start was complete."""

    def __init__(self) -> None:
        super().__init__("The start was given up, as asked.")
