"""The ``webhook`` object of a message: where and how it is sent.  Stored as the message's ``target``."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from scheduler.channels.webhook.urls import SECRET_NAME, mask_url, parse_url
from scheduler.masking import MASK

MAX_HEADERS = 50
MAX_HEADER_BYTES = 8192

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")
_RESERVED_PREFIXES = ("webhook-", "scheduler-")
_RESERVED = frozenset(
    {
        # Headers of the connection (RFC 9110, 7.6.1) or computed by libcurl: a second one allows request smuggling.
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "content-length", "expect", "host", "http2-settings"),
        # Identifies this service.
        "user-agent",
    }
)


class WebhookTarget(BaseModel):
    """Where a message goes over HTTP."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: str = Field(description="http or https; a user and password in it are sent as Basic credentials")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(
        default="POST", description="GET and DELETE are sent without a body"
    )
    headers: dict[str, str] = Field(
        default_factory=dict, description="Sent as they are. With a Content-Type among them a string is sent as it is"
    )
    timeout: float | None = Field(
        default=None, ge=0.1, le=3600, allow_inf_nan=False, description="Seconds for the whole attempt"
    )

    @field_validator("url")
    @classmethod
    def _usable(cls, url: str) -> str:
        parse_url(url)
        return url

    @field_validator("headers")
    @classmethod
    def _safe(cls, headers: dict[str, str]) -> dict[str, str]:
        if len(headers) > MAX_HEADERS or sum(len(n) + len(v) for n, v in headers.items()) > MAX_HEADER_BYTES:
            raise ValueError(f"at most {MAX_HEADERS} headers and {MAX_HEADER_BYTES} bytes of them are accepted")
        seen: set[str] = set()
        for name, value in headers.items():
            _check_header(name, value)
            if name.lower() in seen:
                raise ValueError(f"{name} is given twice")
            seen.add(name.lower())
        return headers

    def encode(self) -> str:
        """Return the stored form: JSON without default values."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read the stored form.  Raises ValueError, which does not repeat any value, for anything else."""
        try:
            # Ignore fields that other parts store beside it (the ttl of a /schedule task).
            return cls.model_validate_json(text, extra="ignore")
        except ValidationError as error:
            found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
            raise ValueError("; ".join(found)) from None

    def masked(self) -> dict[str, Any]:
        """Return it for answers and logs, with credentials and the values of secret headers replaced by ``***``."""
        shown = self.model_dump(exclude_none=True)
        shown["url"] = mask_url(self.url)
        secret = self.secret_headers()
        shown["headers"] = {name: MASK if name in secret else value for name, value in self.headers.items()}
        return shown

    def secret_headers(self) -> dict[str, str]:
        """Return the headers whose values are never shown."""
        return {name: value for name, value in self.headers.items() if SECRET_NAME.search(name)}


class StoredTarget(WebhookTarget):
    """The stored ``target`` of a message: the webhook, and the fields of a ``/schedule`` task."""

    ttl: float | None = None
    """Seconds; only set for a task of ``/schedule``, for which redirects 307 and 308 are followed."""


def ttl_of(target: str | None) -> float | None:
    """The seconds that a stored target keeps; None for a message that is no task."""
    ttl = orjson.loads(target or "{}").get("ttl")
    return float(ttl) if ttl is not None else None


def with_ttl(target: str, ttl: float) -> str:
    """A stored target that keeps these seconds."""
    return orjson.dumps({**orjson.loads(target), "ttl": ttl}).decode()


def _check_header(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        # The error repeats only the beginning: the sender may have put a whole line "Authorization: ..." into the name.
        start = _NAME.match(name)
        begins = f"; one begins with {start[0][:64]!r}" if start else ""
        raise ValueError(f"a header's name must be 1 to 128 letters, digits and !#$%&'*+.^_`|~-{begins}")
    lower = name.lower()
    if lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES):
        raise ValueError(f"{name} is set by the service and cannot be given")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of {name} must be printable ASCII without line breaks or spaces at its ends")
