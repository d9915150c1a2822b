"""Build the request of a claim: method, headers, body and signature."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urljoin

from scheduler import traceparent
from scheduler.channels.webhook.signing import Signer
from scheduler.channels.webhook.ssrf import WAY_OUT, AddressPolicy, refusal_of_url
from scheduler.channels.webhook.target import StoredTarget
from scheduler.channels.webhook.urls import SECRET_NAME, Url, parse_url, secrets_of
from scheduler.masking import Masker
from scheduler.message import Claim, made_by
from scheduler.when import format_ms

_BODILESS = ("GET", "DELETE")


class Prepared(NamedTuple):
    """The parts of a request that all messages with the same target share."""

    url: Url
    method: str
    timeout_ms: int | None
    headers: tuple[str, ...]
    has_body: bool
    raw_strings: bool
    """The target names its own content type: a message that is a JSON string is sent as its text."""
    refusal: str | None
    """Why the URL itself is not allowed, whatever its host resolves to; None: it is."""
    traced: bool
    """The target names a trace of its own (``traceparent``)."""
    follows: bool
    """Whether redirects that keep method and body are followed."""
    secrets: tuple[str, ...]
    masked: Masker
    """Masks the secrets of this request, which the endpoint may repeat in its answer."""


class WebhookRequest(NamedTuple):
    headers: list[str]
    """Lines ``Name: value``, without line ends."""
    body: bytes | None


class RequestBuilder:
    """Builds requests.  Thread-safe."""

    def __init__(
        self, *, signer: Signer, policy: AddressPolicy, user_agent: str, api_token: str, now_ms: Callable[[], float]
    ) -> None:
        """``now_ms``: Redis's clock, as a server's own may be wrong, and endpoints refuse timestamps minutes away."""
        self._signer = signer
        self._policy = policy
        self._user_agent = user_agent
        self._api_token = api_token
        self._now_ms = now_ms
        # Messages for one endpoint mostly have the same target: reading it takes 30 µs, a cache hit 0.1 µs.
        self.prepare = lru_cache(maxsize=1024)(self._prepare)

    def _prepare(self, target: str) -> Prepared:
        """Read a stored target.  Raises ValueError when it is malformed."""
        webhook = StoredTarget.decode(target)
        url = parse_url(webhook.url)
        names = {name.lower() for name in webhook.headers}
        has_body = webhook.method not in _BODILESS
        # "Name;" makes libcurl send a header with an empty value.
        lines = [f"{name}: {value}" if value else f"{name};" for name, value in webhook.headers.items()]
        lines.append(f"User-Agent: {self._user_agent}")
        secrets = [*webhook.secret_headers().values(), *secrets_of(url)]
        if has_body:
            # Without this, libcurl sends "Expect: 100-continue" with a large body and waits a second for the answer.
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
            traced=traceparent.HEADER in names,
            follows=webhook.ttl is not None,
            secrets=tuple(secrets),
            masked=Masker(secrets),
        )

    def redirected(self, prepared: Prepared, location: str) -> Prepared:
        """Return the request to the target of a redirect; ``location``: the header's value.

        Headers with secrets are only sent to the same scheme, host and port.
        Raises ValueError with the reason when the redirect cannot be followed.
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

    def build(self, claim: Claim, prepared: Prepared, trace: str | None = None) -> WebhookRequest:
        """Build the request of one attempt, signed with the current second.

        ``trace``: its own ``traceparent``; None: that of the message.
        """
        body = _body(claim.payload, prepared)
        timestamp = int(self._now_ms() // 1000)
        # A sender's own id may hold any character, and must not end the header's line.
        message_id = claim.id if claim.id.isascii() and claim.id.isprintable() else quote(claim.id)
        headers = [
            *prepared.headers,
            f"webhook-id: {message_id}",
            f"webhook-timestamp: {timestamp}",
            f"Scheduler-Attempt: {claim.attempt}",
            f"Scheduler-Due-At: {format_ms(claim.due_at)}",
        ]
        if claim.run is not None:
            made = made_by(claim.id, claim.run)
            headers.append(f"Scheduler-Schedule-Id: {made.schedule}")
            headers.append(
                f"Scheduler-Scheduled-For: {format_ms(claim.due_at if made.moment is None else made.moment)}"
            )
        trace = trace or claim.trace
        if trace is not None and not prepared.traced:
            headers.append(f"traceparent: {trace}")
        signature = self._signer.sign(message_id, timestamp, body or b"")
        if signature:
            headers.append(f"webhook-signature: {signature}")
        return WebhookRequest(headers, body)


def _name(line: str) -> str:
    """Return the name of a header line, which is ``Name: value`` or ``Name;``."""
    return re.split("[:;]", line, maxsplit=1)[0]


def _basic(user: str) -> str:
    return base64.b64encode(user.encode()).decode()


def _body(payload: str, prepared: Prepared) -> bytes | None:
    if not prepared.has_body:
        return None
    if prepared.raw_strings and payload.startswith('"'):
        # JSON may hold a lone surrogate, which UTF-8 cannot encode.
        return str(json.loads(payload)).encode(errors="replace")
    return payload.encode()
