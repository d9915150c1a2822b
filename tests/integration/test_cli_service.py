"""Commands against a running service: ``doctor``, ``bench``, ``tail``, and a webhook that arrives."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from scheduler.cli.exits import Exit
from tests.support.cli import Done, beside, cli
from tests.support.endpoint import Endpoint
from tests.support.service import Service, clean_environment
from tests.support.waiting import free_port, wait_for


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("cli")
    environment = {"WEBHOOK__ALLOW_PRIVATE_NETWORKS": "true", "API_AUTH": "geheim"}
    with Service(folder, env=environment) as service:
        yield service


@pytest.fixture(autouse=True)
def here(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder, the address and the token of the service."""
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    monkeypatch.chdir(service.data.parent)
    monkeypatch.setenv("MESSAGE_SCHEDULER_URL", f"http://127.0.0.1:{service.port}")
    monkeypatch.setenv("MESSAGE_SCHEDULER_TOKEN", "geheim")


def findings(done: Done) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in done.out.splitlines():
        finding = json.loads(line)
        found.setdefault(finding["check"], []).append(finding)
    return found


def test_doctor_finds_nothing_wrong(service: Service) -> None:
    with Endpoint() as endpoint:
        done = cli("doctor", "--webhook", endpoint.url("/hook"), "--json")
        (request,) = endpoint.wait_for(1)
    assert done.code == 0, done
    assert request.json() == {"from": "message-scheduler doctor"}
    found = findings(done)
    assert {finding["state"] for each in found.values() for finding in each} == {"ok"}
    here = ["settings", "Redis here", "clock here"]
    assert list(found) == [*here, "service", "schedulers", "clocks", "its Redis", "live events", "webhook"]
    assert "append-only file" in found["Redis here"][0]["says"]
    assert f"{service.data}" in found["Redis here"][0]["says"]


def test_doctor_says_what_is_wrong_and_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER_WORKERS", "3")
    url = f"http://127.0.0.1:{free_port()}/hook"
    refused = cli("doctor", "--webhook", url)
    cli("pause")
    paused = cli("doctor", "--webhook", url)
    cli("resume")
    assert refused.code == paused.code == Exit.FAILED
    assert refused.err == "1 problem, see above.\n"
    assert f"PROBLEM  webhook: {url} was not delivered: " in refused.out
    assert "WARNING  settings: SCHEDULER_WORKERS is ignored" in refused.out
    assert "WARNING  schedulers: everything is paused. message-scheduler resume ends that." in paused.out
    assert "was not tried" in paused.out


def test_doctor_without_a_service_or_a_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://me:geheim@127.0.0.1:1")
    monkeypatch.setenv("MESSAGE_SCHEDULER_URL", "http://127.0.0.1:1")
    done = cli("doctor", "--json")
    found = findings(done)
    assert done.code == Exit.FAILED
    assert "Redis does not answer" in found["Redis here"][0]["says"]
    assert "Is the service running there?" in found["service"][0]["says"]
    assert "geheim" not in done.out


def test_bench_draws_how_late_messages_were() -> None:
    found = cli("bench", "--count", "60", "--rate", "200", "--json").json()
    assert found["delivered"] == found["messages"] == sum(row["count"] for row in found["histogram"]) == 60
    assert 0 <= found["min"] <= found["p50"] <= found["p99"] <= found["max"]
    said = cli("bench", "--count", "5").out
    assert "5 of 5 delivered" in said
    assert "█" in said
    assert "p99" in said


def test_tail_shows_what_happens(service: Service) -> None:
    """By its token, at the address that the service tells."""
    done = beside("tail", "--count", "3", "--id", "watched")
    wait_for("the viewer", lambda: viewers(service) == 1)
    # Not by a command: the two would write to one stdout.
    service.request("POST", "/v1/messages", {"message": "hello", "id": "watched"}, {"Authorization": "geheim"})
    said = done()
    assert [line.split()[1] for line in said.out.splitlines()] == ["scheduled", "claimed", "delivered"]


def metrics(service: Service) -> str:
    return service.request("GET", "/metrics", headers={"Authorization": "geheim"}).text


def viewers(service: Service) -> float:
    found = re.findall(r"^scheduler_event_viewers\{.*\} (\S+)$", metrics(service), re.MULTILINE)
    return sum(map(float, found))
