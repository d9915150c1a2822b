"""Which spans there are, without a collector: the SDK's own exporter keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from scheduler.message import NOW, Claim, NewMessage, Outcome, Priority
from scheduler.otel.sampling import Following
from scheduler.otel.tracing import Tracing
from scheduler.traceparent import is_valid
from tests.support.clock import FakeClock

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class Spans:
    """A ``Tracing`` and the spans that have ended."""

    def __init__(self, clock: FakeClock, sampler: Sampler) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(Following(sampler), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.tracing = Tracing(provider.get_tracer("test"), clock)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._kept.get_finished_spans() if span.name == name]

    def send(self, given: str | None) -> str | None:
        with self.tracing.send([NewMessage("a", '"m"', NOW)], given) as sending:
            return sending.trace


Make = Callable[..., Spans]


@pytest.fixture
def make(clock: FakeClock) -> Make:
    return lambda sampler=ALWAYS_ON: Spans(clock, sampler)


def claim(id: str = "a", trace: str | None = None, channel: str = "echo", lane: str = "echo") -> Claim:
    return Claim(id, "t", 1, 1, channel, "1", None, None, None, Priority.NORMAL, 1, 0, lane, trace=trace)


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_an_attempt_of_echo_begins_when_its_outcome_says(make: Make, clock: FakeClock) -> None:
    spans = make()
    spans.tracing.claimed([claim()], 0.002)
    spans.tracing.ended([Outcome(claim(), "ack", duration_ms=250, lateness_ms=3)])
    [attempt] = spans.named("process echo")
    assert attempt.start_time is not None
    assert attempt.end_time == clock.now_ms() * 1_000_000
    assert attempt.end_time - attempt.start_time == 250_000_000
    [batch] = spans.named("claim echo")
    assert batch.start_time is not None
    assert batch.end_time is not None
    assert batch.end_time - batch.start_time == 2_000_000


def test_what_was_given_back_unused_was_no_attempt(make: Make) -> None:
    spans = make()
    spans.tracing.claimed([claim("a"), claim("b")], 0)
    spans.tracing.ended([Outcome(claim("a"), "release"), Outcome(claim("b"), "ack")])
    assert [attributes(span)["messaging.message.id"] for span in spans.named("process echo")] == ["b"]
    assert spans.tracing._open == {}


def test_an_outcome_that_comes_after_the_message_was_given_up_makes_no_second_span(make: Make) -> None:
    spans = make()
    spans.tracing.claimed([claim()], 0)
    spans.tracing.ended([Outcome(claim(), "retry", error="too slow")])
    spans.tracing.ended([Outcome(claim(), "ack")])
    assert [attributes(span)["scheduler.outcome"] for span in spans.named("process echo")] == ["retry"]


def test_a_batch_of_several_lanes_has_no_destination(make: Make) -> None:
    spans = make()
    spans.tracing.claimed([claim("a"), claim("b", channel="job", lane="job:x")], 0)
    [span] = spans.named("claim")
    assert "messaging.destination.name" not in attributes(span)
    assert attributes(span)["messaging.batch.message_count"] == 2


@pytest.mark.parametrize(
    ("sampler", "given", "recorded"),
    [
        (ALWAYS_ON, None, True),
        (ALWAYS_OFF, SAMPLED, False),
        (ParentBased(ALWAYS_ON), UNSAMPLED, False),
        (ParentBased(ALWAYS_OFF), SAMPLED, True),
        (ParentBased(ALWAYS_OFF), None, False),
        (TraceIdRatioBased(1), UNSAMPLED, True),
    ],
)
def test_attempts_are_recorded_where_their_request_is(
    make: Make, sampler: Sampler, given: str | None, recorded: bool
) -> None:
    spans = make(sampler)
    kept = spans.send(given)
    spans.tracing.claimed([claim(trace=kept)], 0)
    spans.tracing.ended([Outcome(claim(trace=kept), "ack")])
    assert len(spans.named("send echo")) == len(spans.named("process echo")) == recorded


def test_a_share_is_drawn_once_for_a_message_and_all_its_attempts(make: Make) -> None:
    spans = make(ParentBased(TraceIdRatioBased(0.5)))
    kept = [spans.send(None) for _ in range(64)]
    assert all(is_valid(trace or "") for trace in kept)
    claims = [claim(str(n), trace) for n, trace in enumerate(kept)]
    spans.tracing.claimed(claims, 0)
    spans.tracing.ended([Outcome(claim, "ack") for claim in claims])
    sent = {span.context.span_id for span in spans.named("send echo") if span.context}
    linked = {span.links[0].context.span_id for span in spans.named("process echo")}
    assert linked == sent
    assert 0 < len(sent) < 64


def test_what_is_kept_is_the_span_that_is_recorded_else_what_the_request_had(make: Make) -> None:
    kept = make().send(SAMPLED)
    assert kept is not None
    assert kept != SAMPLED
    assert kept.split("-")[1] == TRACE
    assert make(ParentBased(ALWAYS_ON)).send(UNSAMPLED) == UNSAMPLED


def test_a_call_that_fails_fails_its_span(make: Make) -> None:
    spans = make()
    with pytest.raises(LookupError), spans.tracing.send([NewMessage("a", '"m"', NOW)], None):
        raise LookupError("x")
    [span] = spans.named("send echo")
    assert attributes(span)["error.type"] == "LookupError"
    assert not span.status.is_ok


def test_a_run_of_a_schedule_names_it(make: Make) -> None:
    spans = make()
    run = claim("backup:1700000000000")._replace(run="1")
    spans.tracing.claimed([run], 0)
    spans.tracing.ended([Outcome(run, "ack")])
    [attempt] = spans.named("process echo")
    assert attributes(attempt)["scheduler.schedule.id"] == "backup"
    assert [link.context for link in attempt.links] == [span.context for span in spans.named("claim echo")]


def fails(spans: Spans, outcome: Outcome) -> object:
    spans.tracing.claimed([outcome.claim], 0)
    spans.tracing.ended([outcome])
    [span] = spans.named(f"process {outcome.claim.lane}")
    return attributes(span)["error.type"]


JOB = claim(channel="job", lane="job:x")
HOOK = claim(channel="webhook", lane="webhook")


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(JOB, "retry", error="ValueError: no"), "ValueError"),
        (Outcome(JOB, "dead", error="ValueError"), "ValueError"),
        (Outcome(JOB, "retry", error="timed out after 3 s"), "timeout"),
        (Outcome(JOB, "dead", error="the handler gave up"), "_OTHER"),
        (Outcome(HOOK, "retry", error="HTTP 301", evidence={"status_code": 301}), "301"),
        (Outcome(HOOK, "retry", error="nobody: here"), "_OTHER"),
    ],
)
def test_errors_have_few_names(make: Make, outcome: Outcome, expected: str) -> None:
    assert fails(make(), outcome) == expected


def test_requests_are_children_of_the_attempt(make: Make) -> None:
    spans = make()
    urls: Sequence[str] = ("https://a.example/", "https://b.example/")
    for n, url in enumerate(urls):
        sent = spans.tracing.request(HOOK, method="POST", url=url.__str__, host="a.example", port=443, resends=n)
        assert sent
        sent.ended(307 if n == 0 else 0, None if n == 0 else "timeout")
    spans.tracing.ended([Outcome(HOOK, "retry", error="no answer")])
    first, last = spans.named("POST")
    [attempt] = spans.named("process webhook")
    assert [span.parent and span.parent.span_id for span in (first, last)] == [attempt.context.span_id] * 2
    assert [attributes(span).get("http.request.resend_count") for span in (first, last)] == [None, 1]
    assert attributes(attempt)["error.type"] == "timeout"
