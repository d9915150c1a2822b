"""``doctor`` where something is wrong: each fault is a sentence, with what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler.cli.exits import Exit
from tests.support.cli import Done, answered_by, cli
from tests.support.service import clean_environment

SCHEDULER = {"name": "web-1/scheduler", "role": "scheduler", "failure": None, "clock_skew_ms": 3}
REDIS = {"full": False, "maxmemory_policy": "noeviction", "persistence": "aof", "version": "7.2.4"}
STATS: dict[str, Any] = {"servers": [SCHEDULER], "paused": False, "redis": REDIS, "events_url": None}


def doctor(
    monkeypatch: pytest.MonkeyPatch, stats: dict[str, Any], health: dict[str, Any] | None = None, status: int = 200
) -> tuple[Done, dict[tuple[str, str], list[str]]]:
    """What it ended with, and its sentences by state and check."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/health":
            return httpx.Response(status, json=health or {"warnings": []})
        return httpx.Response(200, json={**STATS, **stats})

    answered_by(monkeypatch, httpx.MockTransport(answer))
    done = cli("doctor", "--json")
    found: dict[tuple[str, str], list[str]] = {}
    for finding in map(json.loads, done.out.splitlines()):
        found.setdefault((finding["state"], finding["check"]), []).append(f"{finding['says']} {finding['do']}")
    return done, found


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)


def test_where_no_service_runs_here_its_redis_is_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    done, found = doctor(monkeypatch, {})
    assert done.code == 0
    assert "brings its own" in found["ok", "Redis here"][0]
    assert found["warning", "live events"]


@pytest.mark.parametrize(
    ("stats", "state", "check", "sentence"),
    [
        ({"servers": []}, "problem", "schedulers", "no server delivers. Start one with Server.Role all or worker"),
        ({"servers": [SCHEDULER | {"failure": "it hangs"}]}, "problem", "schedulers", "it hangs. Restart it."),
        ({"servers": [SCHEDULER | {"clock_skew_ms": -3600_000}]}, "warning", "clocks", "3600.0 s behind Redis"),
        ({"servers": [SCHEDULER | {"clock_skew_ms": 2000}]}, "warning", "clocks", "2.0 s ahead of Redis"),
        ({"redis": REDIS | {"full": True}}, "problem", "its Redis", "is full: nothing is accepted. Raise maxmemory"),
        ({"redis": REDIS | {"maxmemory_policy": "allkeys-lru"}}, "warning", "its Redis", "allkeys-lru"),
        ({"redis": REDIS | {"persistence": "none"}}, "warning", "its Redis", "keeps nothing on disk"),
        ({"redis": REDIS | {"persistence": "rdb"}}, "warning", "its Redis", "snapshots only"),
        ({"paused": True}, "warning", "schedulers", "message-scheduler resume ends that."),
    ],
)
def test_what_the_figures_tell(
    monkeypatch: pytest.MonkeyPatch, stats: dict[str, Any], state: str, check: str, sentence: str
) -> None:
    done, found = doctor(monkeypatch, stats)
    assert done.code == (Exit.FAILED if state == "problem" else Exit.DONE)
    assert any(sentence in said for said in found[state, check]), found


def test_what_the_health_route_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = doctor(monkeypatch, {}, {"warnings": ["Nobody serves job:transcode."]})
    assert found["warning", "delivery"] == ["Nobody serves job:transcode. "]
    done, found = doctor(monkeypatch, {}, {"message": "Redis is away."}, 503)
    assert found["problem", "delivery"] == ["Redis is away. "]
    assert done.code == Exit.FAILED


def test_settings_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "none")
    done, found = doctor(monkeypatch, {})
    assert done.code == Exit.FAILED
    assert found["problem", "settings"][0].startswith('PORT: "none" is not accepted')
