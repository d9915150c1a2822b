"""Client of the Message Scheduling Service."""

from message_scheduler_client.clients import AsyncClient, Client
from message_scheduler_client.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Fault,
    Forbidden,
    NotFound,
    SchedulerError,
    SignatureError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from message_scheduler_client.retries import Retries
from message_scheduler_client.webhooks import Delivery, verify

__all__ = [
    "ApiError",
    "AsyncClient",
    "BadRequest",
    "Client",
    "Conflict",
    "Delivery",
    "Fault",
    "Forbidden",
    "NotFound",
    "Retries",
    "SchedulerError",
    "SignatureError",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "verify",
]
