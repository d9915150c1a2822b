"""The health check of containers: where it asks, and what it says."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from scheduler import healthcheck
from scheduler.config.settings import Settings


@pytest.mark.parametrize(
    ("host", "asked"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("[::]", "::1"), ("10.1.2.3", "10.1.2.3"), ("[fe80::1]", "fe80::1")],
)
def test_it_asks_where_the_service_listens(monkeypatch: pytest.MonkeyPatch, host: str, asked: str) -> None:
    seen: list[tuple[str, int]] = []

    class Connection:
        def __init__(self, host: str, port: int, **_: Any) -> None:
            seen.append((host, port))

        def request(self, *_: str) -> None:
            raise ConnectionRefusedError(111, "refused")

        def close(self) -> None:
            pass

    monkeypatch.setattr(http.client, "HTTPConnection", Connection)
    reason = healthcheck.unhealthy(Settings.model_validate({"server": {"host": host, "port": 4000}}))
    assert seen == [(asked, 4000)]
    assert reason == f"http://{asked}:4000/health does not answer: [Errno 111] refused"


def test_a_worker_without_a_port_has_nothing_to_ask() -> None:
    assert healthcheck.unhealthy(Settings.model_validate({"server": {"role": "worker"}})) is None


@pytest.mark.parametrize("metrics", [{"port": 9}, {"port": 9, "host": "127.0.0.1"}])
def test_a_worker_is_asked_at_its_own_port(metrics: dict[str, Any]) -> None:
    server = {"role": "worker", "host": "127.0.0.1" if "host" not in metrics else "192.0.2.1"}
    reason = healthcheck.unhealthy(Settings.model_validate({"server": server, "metrics": metrics}))
    assert reason is not None
    assert reason.startswith("http://127.0.0.1:9/health does not answer: ")


def test_settings_that_are_wrong_are_unhealthy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "a port")
    assert healthcheck.main() == 1
    assert "PORT" in capsys.readouterr().err
