"""A started service with OpenTelemetry: each process exports what it did, at the latest when it stops."""

from __future__ import annotations

from pathlib import Path

from tests.support.collector import Collector, values
from tests.support.endpoint import Endpoint
from tests.support.service import Service
from tests.support.waiting import wait_for

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NEVER = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_METRIC_EXPORT_INTERVAL": "600000"}
"""Nothing is exported before the stop."""


def test_all_processes_export_what_they_did_when_they_stop(short_tmp: Path) -> None:
    env = {
        "OPEN_TELEMETRY__ENABLED": "true",
        "OTEL_SERVICE_NAME": "reminders",
        "WEBHOOK__ALLOWPRIVATENETWORKS": "true",
        "SERVER__NAME": "here",
        "JOBS__MODULES": "tests.support.traced_jobs",
    }
    with Collector() as collector, Endpoint() as endpoint:
        with Service(short_tmp, env=env | collector.environment | NEVER) as service:
            hook = {"message": "hello", "channel": "webhook", "webhook": {"url": endpoint.url("/hook")}}
            given = f"00-{TRACE}-{PARENT}-01"
            assert service.request("POST", "/v1/messages", hook, {"traceparent": given}).status == 201
            job = {"message": "hello", "channel": "job", "job": {"type": "traced"}}
            assert service.post("/v1/messages", job).status == 201
            endpoint.wait_for(1)
            with service.store() as store:
                wait_for("both are delivered", lambda: store.counts().finished == 2)
            address = collector.environment["OTEL_EXPORTER_OTLP_ENDPOINT"]
            assert any(f"OTLP:   traces to {address}" in line for line in service.stderr.texts())
            assert collector.spans == []
            assert service.stop() == 0
        found = {span.name: span for span in collector.spans}
        send, attempt, request = found["send webhook"], found["process webhook"], found["POST"]
        assert (send.trace, send.parent) == (TRACE, PARENT)
        assert attempt.links[0] == (TRACE, send.id)
        assert (request.trace, request.parent) == (attempt.trace, attempt.id)
        assert request.sent(endpoint.requests[0].headers["traceparent"])
        step = found["my own step"]
        assert (step.trace, step.parent) == (found["process job:traced"].trace, found["process job:traced"].id)
        assert {span.service for span in collector.spans} == {"reminders"}
        assert (attempt.instance, send.instance.rpartition("-")[0]) == ("here/scheduler", "here/api")
        accepted = values(collector.metrics(send.instance)["messaging.client.sent.messages"])
        assert {dict(key)["messaging.destination.name"]: n for key, n in accepted.items()} == {
            "echo": 0,
            "job": 1,
            "webhook": 1,
        }
        assert "scheduler.lateness" in collector.metrics("here/scheduler")
