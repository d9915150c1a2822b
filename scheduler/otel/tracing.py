"""The spans of this service: accepting a message, claiming a batch, an attempt, the request of a webhook.

An attempt is a trace of its own, linked to the span that accepted the message: days may lie between them, and no viewer
shows a trace of days.  docs/opentelemetry.md draws the traces and lists all names.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from scheduler.clock import Clock
from scheduler.message import Claim, NewMessage, Outcome, lane_of, made_by
from scheduler.otel.sampling import beside
from scheduler.telemetry.histograms import Histogram

T = TypeVar("T")

SYSTEM: Final = "message_scheduler"
"""``messaging.system``"""
OTHER: Final = "_OTHER"
"""``error.type`` of an error that has no name."""

_EXCEPTION: Final = re.compile(r"([A-Za-z_]\w*)(: |$)")
_MS: Final = 1_000_000
"""Nanoseconds"""

Attributes = dict[str, AttributeValue]


class _Open:
    """What is known of a claim until its outcome is reported."""

    __slots__ = ("claimed", "error_type", "span")

    def __init__(self, claimed: SpanContext | None) -> None:
        self.claimed = claimed
        """The span of the batch it was claimed with."""
        self.span: Span | None = None
        """Of the attempt, once it has begun."""
        self.error_type: str | None = None
        """Of the last request of a webhook."""


class Sending:
    """The span of a call that accepts messages."""

    __slots__ = ("_span", "trace")

    def __init__(self, span: Span, given: str | None) -> None:
        self._span = span
        self.trace = given if given and not span.is_recording() else _written(span.get_span_context())
        """The ``traceparent`` to keep with the messages.  That of the request is kept as it is where this span is not
        recorded: nothing could follow a link to a span that does not exist.
        """

    def repeats(self, id: str | None) -> None:
        """Say that an earlier call had stored the messages.  ``id``: of the message; None: there are several."""
        self._span.set_attribute("scheduler.repeat", True)
        if id is not None:
            self._span.set_attribute("messaging.message.id", id)


class SentRequest:
    """The span of a webhook's request, until it is answered."""

    __slots__ = ("_attempt", "_span", "traceparent")

    def __init__(self, span: Span, attempt: _Open) -> None:
        self._span = span
        self._attempt = attempt
        self.traceparent = _written(span.get_span_context())
        """The header to send."""

    def ended(self, status: int, error_type: str | None) -> None:
        """``status``: of the answer, 0 for none.  ``error_type``: why it failed; None: it did not."""
        if status:
            self._span.set_attribute("http.response.status_code", status)
        if error_type is not None:
            self._attempt.error_type = error_type
            _fail(self._span, error_type)
        self._span.end()


class Tracing:
    """Makes the spans of one process.  Thread-safe."""

    def __init__(self, tracer: Tracer, clock: Clock) -> None:
        self._tracer = tracer
        self._clock = clock
        self._open: dict[tuple[str, str], _Open] = {}
        """By id and token: what this process holds."""
        self._lock = threading.Lock()
        self._durations: dict[tuple[str, str | None], Histogram] = {}

    def durations(self) -> list[tuple[Attributes, list[int], float]]:
        """Return how long calls to accept and to claim took: attributes, counts per bucket, sum in ms."""
        with self._lock:
            return [
                (_operation(name, destination), [*histogram.counts], histogram.total)
                for (name, destination), histogram in self._durations.items()
            ]

    # -- accepting -------------------------------------------------------------------------------------------------

    @contextmanager
    def send(self, messages: Sequence[NewMessage], given: str | None) -> Iterator[Sending]:
        """Around the call that stores messages.  ``given``: the ``traceparent`` of the request."""
        begun = self._clock.monotonic()
        destination = _common(message.lane or lane_of(message.channel, message.type) for message in messages)
        attributes = _operation("send", destination)
        if len(messages) == 1:
            attributes["messaging.message.id"] = messages[0].id
        else:
            attributes["messaging.batch.message_count"] = len(messages)
        parent = _read(given)
        span = self._tracer.start_span(
            _name("send", destination),
            set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context(),
            SpanKind.PRODUCER,
            attributes,
        )
        try:
            yield Sending(span, given)
        except BaseException as error:
            _fail(span, type(error).__name__)
            raise
        finally:
            span.end()
            self._took("send", destination, self._clock.monotonic() - begun)

    # -- delivering ------------------------------------------------------------------------------------------------

    def claimed(self, claims: Sequence[Claim], seconds: float) -> None:
        """Note a batch that was claimed just now, by a call that took so long.  Its outcomes go to ``ended``."""
        now = self._clock.now_ms() * _MS
        destination = _common(claim.lane for claim in claims)
        attributes = _operation("claim", destination) | {"messaging.batch.message_count": len(claims)}
        span = self._tracer.start_span(
            _name("claim", destination),
            Context(),
            SpanKind.CLIENT,
            attributes,
            start_time=now - round(seconds * 1000 * _MS),
        )
        span.end(now)
        self._took("claim", destination, seconds)
        context = span.get_span_context()
        link = context if context.trace_flags.sampled else None
        for claim in claims:
            self._open[claim.id, claim.token] = _Open(link)

    def run(self, claim: Claim, call: Callable[[], T]) -> T:
        """Call a job's handler as an attempt: spans that it makes are children of the attempt's."""
        token = attach(set_span_in_context(self._begun(claim)[0]))
        try:
            return call()
        finally:
            detach(token)

    def request(
        self, claim: Claim, *, method: str, url: Callable[[], str], host: str, port: int, resends: int
    ) -> SentRequest | None:
        """Begin the attempt, unless it has begun, and a request of it; None when the attempt is not recorded.

        ``url``: without secrets.  ``resends``: requests of this attempt before this one.
        """
        attempt, held = self._begun(claim)
        if not attempt.is_recording():
            return None
        attributes: Attributes = {
            "http.request.method": method,
            "url.full": url(),
            "server.address": host,
            "server.port": port,
        }
        if resends:
            attributes["http.request.resend_count"] = resends
        context = set_span_in_context(attempt, Context())
        return SentRequest(self._tracer.start_span(method, context, SpanKind.CLIENT, attributes), held)

    def ended(self, outcomes: Sequence[Outcome]) -> None:
        """End the attempts.  One that nothing was told of before (``echo``) begins here, in the past."""
        now = self._clock.now_ms() * _MS
        for outcome in outcomes:
            held = self._open.pop((outcome.claim.id, outcome.claim.token), None)
            if held is None:
                continue  # a handler that ended after it was given up
            span, end = held.span, None
            if span is not None:
                span.set_attributes(_attributes_of(outcome))
            elif outcome.kind == "release":
                continue  # it was no attempt
            else:
                begun = now - round(outcome.duration_ms * _MS)
                span, end = self._start(outcome.claim, held, begun, _attributes_of(outcome)), now
            if outcome.kind in ("retry", "dead"):
                _fail(span, held.error_type or _error_type(outcome), outcome.error)
            span.end(end)

    def _begun(self, claim: Claim) -> tuple[Span, _Open]:
        held = self._open.setdefault((claim.id, claim.token), _Open(None))
        if held.span is None:
            held.span = self._start(claim, held, None, {})
        return held.span, held

    def _start(self, claim: Claim, held: _Open, at: int | None, more: Attributes) -> Span:
        """``at``: ns since the epoch; None for now.  ``more``: attributes, where they are known already."""
        kept = _read(claim.trace)
        links = [Link(context) for context in (kept, held.claimed) if context is not None]
        attributes = _operation("process", claim.lane) | more
        attributes["messaging.message.id"] = claim.id
        attributes["scheduler.attempt"] = claim.attempt
        if claim.run is not None:
            attributes["scheduler.schedule.id"] = made_by(claim.id, claim.run).schedule
        return self._tracer.start_span(
            _name("process", claim.lane), beside(kept), SpanKind.CONSUMER, attributes, links, start_time=at
        )

    def _took(self, operation: str, destination: str | None, seconds: float) -> None:
        with self._lock:
            key = (operation, destination)
            found = self._durations.get(key)
            if found is None:
                found = self._durations[key] = Histogram()
            found.observe(seconds * 1000)


_TYPES: Final = {"send": "send", "claim": "receive", "process": "process"}
"""The name of an operation here → its type in the conventions."""


def _operation(name: str, destination: str | None) -> Attributes:
    attributes: Attributes = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": name,
        "messaging.operation.type": _TYPES[name],
    }
    if destination is not None:
        attributes["messaging.destination.name"] = destination
    return attributes


def _name(operation: str, destination: str | None) -> str:
    return operation if destination is None else f"{operation} {destination}"


def _common(lanes: Iterator[str]) -> str | None:
    """Return the lane that all have; None when they differ."""
    found = set(lanes)
    return found.pop() if len(found) == 1 else None


def _attributes_of(outcome: Outcome) -> Attributes:
    attributes: Attributes = {
        "scheduler.outcome": outcome.kind,
        "scheduler.lateness_ms": round(outcome.lateness_ms, 3),
    }
    if outcome.delay_ms is not None:
        attributes["scheduler.delay_ms"] = outcome.delay_ms
    return attributes


def _error_type(outcome: Outcome) -> str:
    if status := (outcome.evidence or {}).get("status_code"):
        return str(status)
    if outcome.claim.channel == "job" and (error := outcome.error):
        if found := _EXCEPTION.match(error):
            return found[1]
        if error.startswith("timed out"):
            return "timeout"
    return OTHER


def _fail(span: Span, error_type: str, text: str | None = None) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(Status(StatusCode.ERROR, text))


def _written(context: SpanContext) -> str | None:
    """Return the context as a header ``traceparent``; None for one that is none."""
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _read(traceparent: str | None) -> SpanContext | None:
    """``traceparent``: valid, as whoever accepted it has checked."""
    if traceparent is None:
        return None
    _, trace, span, flags = traceparent.split("-")
    return SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
