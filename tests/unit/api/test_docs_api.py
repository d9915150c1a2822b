"""docs/api.md has every route with its status codes, every error shape and every metric, and none that is not there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scheduler.api.http.idempotency import LONGEST
from scheduler.api.v1.models import MAX_BATCH, MAX_PAGE, MAX_REDRIVE
from scheduler.telemetry import exposition
from tests.support.api import Api
from tests.support.clock import FakeClock

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
PAGES = ("flasgger.", "dashboard.")
SHARED = {"401", "403", "405", "408", "413", "415", "429", "500"}
"""Codes that the page explains once for all routes."""


def part(title: str) -> str:
    """What stands under a heading of the second level."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def entries() -> dict[str, str]:
    """``POST /v1/messages`` → what the page says about it."""
    parts = re.split(r"^### `(.+)`\n", part("Routes"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock, {"test": {"clock": True}})  # the page has this route too


@pytest.fixture
def operations(api: Api) -> dict[str, Any]:
    paths = api.get("/openapi.json").json["paths"]
    return {f"{method.upper()} {path}": found for path, methods in paths.items() for method, found in methods.items()}


def test_every_route_of_the_application(api: Api) -> None:
    routes = {
        f"{method} {_path(rule.rule)}"
        for rule in api.app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS") and not rule.endpoint.startswith(PAGES)
    }
    assert set(entries()) == routes


def _path(rule: str) -> str:
    return re.sub("<(?:path:)?(.*?)>", r"{\1}", rule)


def test_every_code_of_every_route(operations: dict[str, Any]) -> None:
    for route, text in entries().items():
        documented = set(operations[route]["responses"])
        said = set(re.findall(r"\b[2-5]\d\d\b", text))
        assert said <= documented, route
        assert documented - SHARED - {"503"} <= said, route


def test_every_code_is_explained(operations: dict[str, Any]) -> None:
    explained = set(re.findall(r"^\| (\d{3}) \|", part("Errors"), re.MULTILINE))
    answered = {code for operation in operations.values() for code in operation["responses"] if code >= "400"}
    assert explained == answered | {"401", "405"}


def test_every_metric(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = dict(re.findall(r"^\| `(scheduler_\w+)` \| (\w+) \|", part("Metrics"), re.MULTILINE))
    known = {
        **{f"{name}_total": "counter" for name in exposition.COUNTERS},
        **dict.fromkeys(exposition.HISTOGRAMS, "histogram"),
        **dict.fromkeys([*exposition.GAUGES, exposition.PROGRESS], "gauge"),
    }
    monkeypatch.setattr(api.store, "redis_info", lambda: {"used_memory": 1, "maxmemory": 1})
    families = [*text_string_to_metric_families(api.get("/metrics").text)]
    known |= {family.name: "gauge" for family in families if family.type == "gauge"}
    known |= {f"{family.name}_total": "counter" for family in families if family.type == "counter"}
    assert listed == known


def test_every_field_of_a_request(api: Api) -> None:
    schemas = api.get("/openapi.json").json["components"]["schemas"]
    for route, model in (
        ("POST /v1/messages", "MessageIn"),
        ("PATCH /v1/messages/{id}", "MessagePatch"),
        ("PATCH /schedule/{key}", "TaskPatch"),
        ("POST /v1/dead-letters/redrive", "RedriveIn"),
        ("POST /v1/schedules", "ScheduleIn"),
        ("PATCH /v1/schedules/{schedule}", "SchedulePatch"),
        ("POST /v1/schedules/{schedule}/backfill", "BackfillIn"),
    ):
        for field in schemas[model]["properties"]:
            assert f"`{field}`" in entries()[route], (route, field)
    for field in schemas["RetryIn"]["properties"]:
        assert f'"{field}"' in entries()["POST /v1/messages"]


def test_limits() -> None:
    assert f"1 to {MAX_BATCH:,} messages" in entries()["POST /v1/messages/batch"]
    assert f"1 to {MAX_PAGE}" in entries()["GET /v1/messages"]
    assert f"1 to {MAX_REDRIVE:,}" in entries()["POST /v1/dead-letters/redrive"]
    assert f"1 to {LONGEST} printable" in part("What all routes share")


def test_the_error_shapes(api: Api) -> None:
    text = part("Errors")
    for path in ("/v1/nope", "/echoAtTime/nope", "/api/nope", "/nope"):
        shown = "{" + ", ".join(f'"{name}"' for name in api.get(path).json)
        assert shown.split(", ")[0] in text, path
    assert '{"status": 401, "data": "Unauthorized."}' in text


def test_the_examples_are_a_message_a_flow_key_and_a_destination(api: Api) -> None:
    message, flow, destination = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert list(json.loads(message)) == list(api.post("/v1/messages", {"message": "hello"}).json)
    assert list(json.loads(flow)) == list(api.send("PUT", "/v1/flows/tenant-42", {"concurrency": 5}).json)
    assert list(json.loads(destination)) == list(api.post("/v1/destinations/https:api.example.com:443/open").json)
