"""From a claim to the request that goes out: method, headers and the exact bytes that are signed."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urljoin

from scheduler.channels.webhook.signing import Signer
from scheduler.channels.webhook.ssrf import WAY_OUT, AddressPolicy, refusal_of_url
from scheduler.channels.webhook.target import StoredTarget
from scheduler.channels.webhook.urls import SECRET_NAME, Url, parse_url, secrets_of
from scheduler.masking import Masker
from scheduler.message import Claim
from scheduler.when import format_ms

_BODILESS = ("GET", "DELETE")


class Prepared(NamedTuple):
    """What all messages with one target text share."""

    url: Url
    method: str
    timeout_ms: int | None
    headers: tuple[str, ...]
    has_body: bool
    raw_strings: bool
    """The target names its own content type: a message that is a JSON string is sent as its text."""
    refusal: str | None
    """Why this URL is not allowed whatever it resolves to."""
    follows: bool
    """Redirects that keep method and body are followed."""
    secrets: tuple[str, ...]
    masked: Masker
    """Takes out of a text what this request shows to nobody but its endpoint, which may repeat it in its answer."""


class WebhookRequest(NamedTuple):
    headers: list[str]
    """Lines ``Name: value``, without line ends."""
    body: bytes | None


class RequestBuilder:
    """Builds the requests of one channel.  Safe to use from several threads."""

    def __init__(
        self, *, signer: Signer, policy: AddressPolicy, user_agent: str, api_token: str, now_ms: Callable[[], float]
    ) -> None:
        """``now_ms``: Redis's clock.  Endpoints refuse a timestamp that is minutes off, as a server's own may be."""
        self._signer = signer
        self._policy = policy
        self._user_agent = user_agent
        self._api_token = api_token
        self._now_ms = now_ms
        # Messages for one endpoint mostly carry the same target: reading it is 30 us, finding it again 0.1 us.
        self.prepare = lru_cache(maxsize=1024)(self._prepare)

    def _prepare(self, target: str) -> Prepared:
        """Read a stored target.  Raises ValueError when it is none."""
        webhook = StoredTarget.decode(target)
        url = parse_url(webhook.url)
        names = {name.lower() for name in webhook.headers}
        has_body = webhook.method not in _BODILESS
        # "Name;" is how libcurl is told to send an empty header.
        lines = [f"{name}: {value}" if value else f"{name};" for name, value in webhook.headers.items()]
        lines.append(f"User-Agent: {self._user_agent}")
        secrets = [*webhook.secret_headers().values(), *secrets_of(url)]
        if has_body:
            # Without this libcurl asks for leave to send a large body and waits a second for the answer.
            lines.append("Expect:")
            if "content-type" not in names:
                lines.append("Content-Type: application/json")
        if "authorization" not in names:
            if url.user is not None:
                basic = _basic(url.user)
                lines.append(f"Authorization: Basic {basic}")
                secrets.append(basic)
            elif self._api_token:
                lines.append(f"Authorization: {self._api_token}")
                secrets.append(self._api_token)
        refusal = refusal_of_url(url, self._policy)
        return Prepared(
            url=url,
            method=webhook.method,
            timeout_ms=None if webhook.timeout is None else round(webhook.timeout * 1000),
            headers=tuple(lines),
            has_body=has_body,
            raw_strings="content-type" in names,
            refusal=f"{refusal}, which is not allowed {WAY_OUT}" if refusal else None,
            follows=webhook.ttl is not None,
            secrets=tuple(secrets),
            masked=Masker(secrets),
        )

    def redirected(self, prepared: Prepared, location: str) -> Prepared:
        """Return the request for where a redirect points; ``location`` as the endpoint wrote it.

        Headers that hold secrets only go on to the same scheme, host and port: they were meant for nobody else.
        Raises ValueError that says why the redirect cannot be followed.
        """
        before = prepared.url
        try:
            url = parse_url(urljoin(before.text, location))
        except ValueError as error:
            raise ValueError(f"Location: {error}") from None
        if before.scheme == "https" and url.scheme == "http":
            raise ValueError("it leads from https to http")
        refusal = refusal_of_url(url, self._policy)
        if refusal:
            raise ValueError(f"{refusal}, which is not allowed {WAY_OUT}")
        lines = list(prepared.headers)
        if (url.scheme, url.host, url.port) != (before.scheme, before.host, before.port):
            lines = [line for line in lines if not SECRET_NAME.search(_name(line))]
        secrets = [*prepared.secrets, *secrets_of(url)]
        if url.user is not None:
            basic = _basic(url.user)
            secrets.append(basic)
            lines = [line for line in lines if _name(line).lower() != "authorization"]
            lines.append(f"Authorization: Basic {basic}")
        return prepared._replace(url=url, headers=tuple(lines), secrets=tuple(secrets), masked=Masker(secrets))

    def build(self, claim: Claim, prepared: Prepared) -> WebhookRequest:
        """The request of one attempt, signed for this very second."""
        body = _body(claim.payload, prepared)
        timestamp = int(self._now_ms() // 1000)
        # Ids of our own are plain letters; an id somebody chose must not end the line.
        message_id = claim.id if claim.id.isascii() and claim.id.isprintable() else quote(claim.id)
        headers = [
            *prepared.headers,
            f"webhook-id: {message_id}",
            f"webhook-timestamp: {timestamp}",
            f"Scheduler-Attempt: {claim.attempt}",
            f"Scheduler-Due-At: {format_ms(claim.due_at)}",
        ]
        signature = self._signer.sign(message_id, timestamp, body or b"")
        if signature:
            headers.append(f"webhook-signature: {signature}")
        return WebhookRequest(headers, body)


def _name(line: str) -> str:
    """The name of a header line, which is ``Name: value`` or ``Name;``."""
    return re.split("[:;]", line, maxsplit=1)[0]


def _basic(user: str) -> str:
    return base64.b64encode(user.encode()).decode()


def _body(payload: str, prepared: Prepared) -> bytes | None:
    if not prepared.has_body:
        return None
    if prepared.raw_strings and payload.startswith('"'):
        # A lone surrogate is legal in JSON and not in UTF-8.
        return str(json.loads(payload)).encode(errors="replace")
    return payload.encode()
