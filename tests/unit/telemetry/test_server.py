"""``Metrics.Port``: the figures of one process, and whether it works, without an API and without Redis."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scheduler.config.settings import Settings
from scheduler.errors import StartError
from scheduler.telemetry.figures import Telemetry
from scheduler.telemetry.server import FiguresServer
from tests.support.clock import FakeClock
from tests.unit.telemetry.test_telemetry import outcome


@pytest.fixture
def figures(clock: FakeClock) -> Telemetry:
    return Telemetry(clock)


@contextmanager
def serving(figures: Telemetry, fault: str | None = None, **sections: dict[str, Any]) -> Iterator[int]:
    """On a free port (0 is that here; in the settings of a service it is none)."""

    def report() -> dict[str, Any]:
        return {"role": "scheduler", "progress_age_ms": 1500, **figures.snapshot()}

    server = FiguresServer(Settings.model_validate(sections), "one/scheduler", report, lambda: fault)
    server.start()
    try:
        assert server.port
        yield server.port
    finally:
        server.stop()
        server.stop()
    assert server.port is None


def get(port: int, path: str, **headers: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_it_shows_the_figures_of_its_process_and_no_others(figures: Telemetry) -> None:
    with serving(figures) as port:
        figures.attempts([outcome(lateness_ms=700)])
        status, text = get(port, "/metrics?name=scheduler")
    found = {
        (sample.name, sample.labels.get("channel")): sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert status == 200
    assert found["scheduler_lateness_seconds_sum", "echo"].value == 0.7
    assert found["scheduler_progress_age_seconds", None].value == 1.5
    assert {(s.labels["server"], s.labels["process"]) for s in found.values()} == {("one", "scheduler")}


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [(None, 200, "This process works."), ("it hangs", 503, "This process delivers nothing: it hangs.")],
)
def test_health_tells_whether_a_restart_would_help(
    figures: Telemetry, fault: str | None, status: int, message: str
) -> None:
    with serving(figures, fault, api={"auth_token": "secret"}) as port:
        answered, text = get(port, "/health")
    assert answered == status
    assert json.loads(text) == {"status": "success" if status == 200 else "error", "message": message}


def test_figures_need_the_token_of_the_api(figures: Telemetry) -> None:
    with serving(figures, api={"auth_token": "old,new"}) as port:
        assert [get(port, "/metrics", Authorization=given)[0] for given in ("Bearer new", "old")] == [200, 200]
        assert get(port, "/metrics", Authorization="Bearer wrong")[0] == 401
        status, text = get(port, "/metrics")
    assert (status, "scheduler_" in text) == (401, False)


def test_other_paths_are_not_there(figures: Telemetry) -> None:
    with serving(figures) as port:
        status, text = get(port, "/v1/messages")
    assert status == 404
    assert "/metrics and /health only" in text


def test_a_port_that_is_taken_is_one_sentence(figures: Telemetry) -> None:
    with serving(figures) as port:
        second = {"port": port, "host": "127.0.0.1"}
        with (
            pytest.raises(StartError, match=rf"^Cannot listen on 127.0.0.1:{port} for metrics .*Metrics\.Port to 0\.$"),
            serving(figures, metrics=second, server={"host": "192.0.2.1"}),
        ):
            pass


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_of_another_machine_is_one_sentence(figures: Telemetry, host: str) -> None:
    with (
        pytest.raises(StartError, match=rf"^Cannot listen on {host}:0 for metrics"),
        serving(figures, server={"host": host}),
    ):
        pass
