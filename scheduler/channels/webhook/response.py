"""Decide the outcome of an attempt from the endpoint's answer, or the lack of one."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import pycurl

from scheduler.masking import escape, mask
from scheduler.message import OutcomeKind

KEPT_BYTES = 1024
"""Bytes of a response that are kept as evidence."""


FOLLOWED = (307, 308)
"""Redirects that keep method and body; they are followed for tasks of ``/schedule``."""

_REDIRECTS = (301, 302, 303, *FOLLOWED)
_PASSING = (408, 425, 429)
"""4xx that ask to try later.  Load balancers send 408 on a connection that was idle."""

_FAILURES = (0, 408, 410)
"""Beside 5xx, what counts as a failure of the endpoint; 0: there was no answer."""
_BUSY = (429, 503)

_RESET = re.compile(r"(?:\breset=|;\s*t=)([0-9]{1,9})\b")
"""RateLimit of draft-ietf-httpapi-ratelimit-headers: ``limit=10, remaining=0, reset=30`` in version 7, and
``"default";r=0;t=30`` since version 8, with a comma between several.
"""
_QUOTED = re.compile(r'"[^"]*"')
_USED_UP = re.compile(r";\s*r=0\b")

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
"""HTTP allows whole seconds only, but some rate limiters send a fraction."""
_EPOCH_FROM = 1e9
_EPOCH_MS_FROM = 1e12
"""Some rate limiters send when their limit begins anew, in seconds or milliseconds since 1970.  As a delay that would
be more than thirty years.
"""

_TOO_LARGE = 100
"""CURLE_TOO_LARGE, which pycurl has no name for."""

BROKEN_OFF = "the answer broke off in its headers"
LOST = "the endpoint closed a kept connection before it answered"
NAMELESS = {
    pycurl.E_HTTP2: "the HTTP/2 connection was lost before the answer was complete",
    pycurl.E_RECV_ERROR: "the connection was lost before the answer was complete",
    _TOO_LARGE: "the headers of the answer are too long",
}
"""Texts for error codes that libcurl has no message for."""
REFUSED = "the endpoint refused the request on each of several new connections (HTTP/2)"


class AnswerVerdict(NamedTuple):
    kind: OutcomeKind
    error: str | None = None
    delay_ms: int | None = None


class Answer(NamedTuple):
    """The parts of a response that decide the outcome."""

    status: int
    retry_after: str | None = None
    no_retry: bool = False
    """Whether it had ``Scheduler-No-Retry: true``."""
    location: str | None = None
    """The target of a redirect."""
    pause: str | None = None
    """Seconds until a rate limit begins anew (``RateLimit-Reset``, or ``t`` of ``RateLimit``)."""

    @property
    def is_failure(self) -> bool:
        """Whether it says that the endpoint does not work: of no use to a message, and of none to the next one."""
        return self.status >= 500 or self.status in _FAILURES

    @property
    def asks_for_pause(self) -> bool:
        """Whether ``Retry-After`` and ``RateLimit-*`` concern all messages to the endpoint."""
        return self.status in _BUSY


def judge(
    answer: Answer, *, client_errors_final: bool, retry_after_cap: float, now_ms: float, follows: bool
) -> AnswerVerdict:
    """Judge a response by the rules of docs/webhooks.md.  ``retry_after_cap``: seconds.

    ``follows``: 307 and 308 are followed for this message (and are not judged here).
    """
    status = answer.status
    if 200 <= status < 300:
        return AnswerVerdict("ack")
    error = f"HTTP {status}"
    if answer.no_retry:
        return AnswerVerdict("dead", f"{error} with Scheduler-No-Retry")
    if status == 410:
        return AnswerVerdict("dead", f"{error}: the endpoint is gone")
    if status in _REDIRECTS:
        rule = "of redirects only 307 and 308 are followed" if follows else "redirects are not followed"
        return AnswerVerdict("retry", f"{error}: {rule}{_origin_of(answer.location)}")
    if 400 <= status < 500 and status not in _PASSING and client_errors_final:
        return AnswerVerdict("dead", f"{error} is final (Webhook.ClientErrorsFinal)")
    seconds = _retry_after(answer.retry_after, now_ms)
    if seconds is None and answer.asks_for_pause and answer.pause and _SECONDS.fullmatch(answer.pause):
        seconds = _from_now(float(answer.pause), now_ms)
    return AnswerVerdict("retry", error, None if seconds is None else round(min(seconds, retry_after_cap) * 1000))


def reset_of(header: str) -> str | None:
    """Return the seconds until the limit of a ``RateLimit`` header begins anew; None when it does not say.

    Of several limits the last one of those that are used up; of all, when none says so.
    """
    limits = _QUOTED.sub("", header).split(",")
    used_up = [limit for limit in limits if _USED_UP.search(limit)]
    found = [seconds for limit in used_up or limits for seconds in _RESET.findall(limit)]
    return max(found, key=int) if found else None


def readable(body: bytes) -> str:
    """Return the start of a response as text that is safe to show; its line ends are kept."""
    text = body[:KEPT_BYTES].decode(errors="replace")
    return "\n".join(escape(line) for line in text.split("\n"))[:KEPT_BYTES]


def one_line(text: str) -> str:
    """Make an error text of libcurl or the system safe for a log line."""
    return mask(escape(text))[:300]


def _retry_after(value: str | None, now_ms: float) -> float | None:
    """Return the seconds to wait; None when the header is absent, unreadable, zero or in the past."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        return _from_now(float(value), now_ms)
    try:
        moment = parsedate_to_datetime(value)
        # The asctime form has no zone; all dates of HTTP are UTC (RFC 9110, 5.6.7).
        seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now_ms / 1000
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def _from_now(number: float, now_ms: float) -> float | None:
    """Return the seconds that a number stands for: a delay, or a moment since 1970; None when it is not ahead."""
    if number >= _EPOCH_FROM:
        number = (number if number >= _EPOCH_MS_FROM else number * 1000) / 1000 - now_ms / 1000
    return number if number > 0 else None


def _origin_of(location: str | None) -> str:
    """Return only scheme and host: the rest of a redirect's target may hold a token."""
    try:
        parts = urlsplit(location or "")
        host = parts.hostname
    except ValueError:
        return ""
    return one_line(f" (to {parts.scheme}://{host})") if host else ""
