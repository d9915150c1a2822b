"""Traces and metrics of a delivery, from the request to the webhook, as a collector gets them.  A real Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from opentelemetry import trace
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from scheduler.clock import SystemClock
from scheduler.jobs import REGISTRY, JobContext
from scheduler.logs.sinks import adapt
from scheduler.otel import open_pipeline
from scheduler.otel import pipeline as pipelines
from scheduler.otel.pipeline import Pipeline
from tests.support.api import Api
from tests.support.collector import Collector, Seen, values
from tests.support.endpoint import Endpoint
from tests.support.logger import RecordingLogger
from tests.support.running import QUICK, Running
from tests.support.waiting import free_port, wait_for

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
ON = {**QUICK, "webhook": {"allow_private_networks": True}, "open_telemetry": {"enabled": True}}
AT_ONCE = {"max_attempts": 2, "base": 0, "jitter": False}

_seen: list[trace.SpanContext] = []


@REGISTRY.handler("look_at_the_span")
def _look(payload: Any, context: JobContext) -> None:
    _seen.append(trace.get_current_span().get_span_context())
    if payload == "fail":
        raise KeyError("x")


@pytest.fixture(autouse=True)
def _empty(redis_client: redis.Redis) -> None:
    """Every test begins with an empty Redis."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as collector:
        for name, value in collector.environment.items():
            monkeypatch.setenv(name, value)
        yield collector


class Both:
    """What a server does, in one process: an API and a runtime, each with a pipeline of its own."""

    def __init__(self, url: str) -> None:
        self.runtime = Running(url, settings=ON)

    def __enter__(self) -> Both:
        self.runtime.start()
        settings, clock = self.runtime.settings, SystemClock()
        pipeline = open_pipeline(settings, "here/api-1", adapt(RecordingLogger()), clock)
        assert pipeline
        self.pipeline: Pipeline = pipeline
        sections = {"webhook": ON["webhook"], "open_telemetry": ON["open_telemetry"]}
        self.api = Api(clock, sections, store=self.runtime.store, tracing=pipeline.tracing)
        return self

    def __exit__(self, *_: object) -> None:
        self.pipeline.close()
        self.runtime.stop()

    def post(self, body: Any, headers: dict[str, str] | None = None, path: str = "/v1/messages") -> Any:
        answer = self.api.post(path, body, headers=headers or {})
        assert answer.status_code == 201, answer.text
        return answer.json


def webhook(url: str, **more: Any) -> dict[str, Any]:
    return {"message": "hello", "channel": "webhook", "webhook": {"url": url}, **more}


def of(spans: list[Seen], **attributes: Any) -> list[Seen]:
    return [span for span in spans if attributes.items() <= span.attributes.items()]


def test_the_way_of_a_webhook(redis_url: str, collector: Collector, endpoint: Endpoint) -> None:
    with Both(redis_url) as both:
        id = both.post(webhook(endpoint.url("/hook?token=hush&a=1")), GIVEN)["id"]
        [received] = endpoint.wait_for(1)
        [attempt] = collector.named("process webhook")
    [send], [claim], [request] = (collector.named(name) for name in ("send webhook", "claim webhook", "POST"))
    assert (send.kind, send.trace, send.parent, send.instance) == ("PRODUCER", TRACE, PARENT, "here/api-1")
    assert send.attributes == {
        "messaging.system": "message_scheduler",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "webhook",
        "messaging.message.id": id,
    }
    assert (claim.kind, claim.parent, claim.attributes["messaging.batch.message_count"]) == ("CLIENT", "", 1)
    assert claim.attributes["messaging.operation.type"] == "receive"
    # A trace of its own, which leads back to the request and to the claim.
    assert (attempt.kind, attempt.parent, attempt.instance) == ("CONSUMER", "", "here/scheduler")
    assert attempt.links == [(TRACE, send.id), (claim.trace, claim.id)]
    assert attempt.trace not in (TRACE, claim.trace)
    assert attempt.attributes["messaging.operation.type"] == "process"
    assert attempt.attributes["messaging.message.id"] == id
    assert (attempt.attributes["scheduler.attempt"], attempt.attributes["scheduler.outcome"]) == (1, "ack")
    assert attempt.attributes["scheduler.lateness_ms"] >= 0
    assert attempt.error is None
    assert (request.kind, request.trace, request.parent) == ("CLIENT", attempt.trace, attempt.id)
    assert request.attributes == {
        "http.request.method": "POST",
        "url.full": endpoint.url("/hook?token=***&a=1"),
        "server.address": "127.0.0.1",
        "server.port": int(endpoint.url().rpartition(":")[2].strip("/")),
        "http.response.status_code": 200,
    }
    assert request.sent(received.headers["traceparent"])
    assert {span.service for span in collector.spans} == {"message-scheduler"}


def test_a_repeat_names_what_is_stored(redis_url: str, collector: Collector) -> None:
    body, key = {"message": "hello", "delay": 60}, {"Idempotency-Key": "k"}
    with Both(redis_url) as both:
        ids = {both.api.post("/v1/messages", body, headers=key).json["id"] for _ in range(2)}
        spans = collector.named("send echo", 2)
    assert {span.attributes["messaging.message.id"] for span in spans} == ids
    assert [span.attributes.get("scheduler.repeat") for span in spans] == [None, True]


def test_each_attempt_is_a_trace(redis_url: str, collector: Collector, endpoint: Endpoint) -> None:
    with Both(redis_url) as both:
        both.post(webhook(endpoint.url("/status/500"), retry=AT_ONCE))
        attempts = collector.named("process webhook", 2)
        requests = collector.named("POST", 2)
        [send] = collector.named("send webhook")
    first, last = sorted(attempts, key=lambda span: span.attributes["scheduler.attempt"])
    assert send.parent == ""
    assert [span.links[0] for span in attempts] == [(send.trace, send.id)] * 2
    assert len({span.trace for span in [send, *attempts]}) == 3
    assert [span.attributes["scheduler.outcome"] for span in (first, last)] == ["retry", "dead"]
    assert first.error
    assert "500" in first.error
    assert {span.attributes["error.type"] for span in [*attempts, *requests]} == {"500"}


def test_a_handler_runs_inside_of_its_attempt(redis_url: str, collector: Collector) -> None:
    job = {"channel": "job", "job": {"type": "look_at_the_span"}}
    with Both(redis_url) as both:
        both.post({"message": "hello", **job})
        [well] = collector.named("process job:look_at_the_span")
        both.post({"message": "fail", "retry": {"max_attempts": 1}, **job})
        failed = of(collector.named("process job:look_at_the_span", 2), **{"scheduler.outcome": "dead"})
    assert [f"{context.span_id:016x}" for context in _seen] == [well.id, failed[0].id]
    assert failed[0].attributes["error.type"] == "KeyError"
    assert failed[0].error == "KeyError: 'x'"


def test_a_request_that_is_not_recorded_leaves_no_spans(
    redis_url: str, collector: Collector, endpoint: Endpoint
) -> None:
    unsampled = f"00-{TRACE}-{PARENT}-00"
    with Both(redis_url) as both:
        both.post(webhook(endpoint.url("/first")), {"traceparent": unsampled})
        [received] = endpoint.wait_for(1)
        both.post(webhook(endpoint.url("/second")))
        collector.named("process webhook")
        collector.named("POST")
    assert received.headers["traceparent"] == unsampled
    assert [span.attributes["url.full"] for span in collector.named("POST")] == [endpoint.url("/second")]
    assert len(collector.named("send webhook")) == len(collector.named("process webhook")) == 1


def test_figures_are_those_of_the_heartbeat(redis_url: str, collector: Collector) -> None:
    with Both(redis_url) as both:
        both.post({"messages": [{"message": f"m{n}"} for n in range(3)]}, path="/v1/messages/batch")
        echo = {"messaging.destination.name": "echo", "messaging.system": "message_scheduler"}
        process = tuple(sorted({**echo, "messaging.operation.name": "process"}.items()))
        acks = (*process, ("scheduler.outcome", "ack"))

        def counted() -> dict[str, Metric] | None:
            metrics = collector.metrics("here/scheduler")
            settled = metrics and values(metrics["scheduler.in_flight"]) == {(): 0}
            return metrics if settled and values(metrics["messaging.client.consumed.messages"]).get(acks) == 3 else None

        metrics = wait_for("three are counted and settled", counted)
    assert metrics["messaging.process.duration"].unit == "s"
    assert values(metrics["messaging.process.duration"])[process] == 3
    lateness = metrics["scheduler.lateness"].histogram.data_points
    [late] = [point for point in lateness if point.attributes[0].value.string_value == "echo"]
    assert (late.count, late.explicit_bounds[0], sum(late.bucket_counts)) == (3, 0.0001, 3)
    claims = values(metrics["messaging.client.operation.duration"])
    assert [dict(key)["messaging.operation.name"] for key in claims] == ["claim"]
    [send] = collector.named("send echo")
    assert send.attributes["messaging.batch.message_count"] == 3
    attempts = collector.named("process echo", 3)
    assert {span.links[0] for span in attempts} == {(send.trace, send.id)}


def test_a_collector_that_is_away_or_hangs_delays_no_delivery(
    redis_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "CLOSE_SECONDS", 0.5)
    collector.held = threading.Event()
    with Running(redis_url, name="hangs", settings=ON) as runtime:
        runtime.add(200)
        wait_for("all are delivered", lambda: runtime.store.counts().finished == 200)
        began = time.monotonic()
    assert time.monotonic() - began < 9, "an export is tried for ten seconds"
    collector.held.set()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with Running(redis_url, name="away", settings=ON) as runtime:
        runtime.add(200)
        wait_for("all are delivered", lambda: runtime.store.counts().finished == 400)
        wait_for("it is said", lambda: any("OpenTelemetry" in text for text in runtime.logger.warnings))
