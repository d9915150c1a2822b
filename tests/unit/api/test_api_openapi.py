"""/docs and /openapi.json: complete, valid, and true."""

from __future__ import annotations

import re
from typing import Any

import pytest
import schemathesis

from scheduler.api.http import docs
from scheduler.api.http.openapi import OPERATIONS, documented
from scheduler.api.kept import answers as kept
from scheduler.api.v1 import answers
from scheduler.channels.registry import CHANNELS
from scheduler.message import Outcome
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.service import ROOT
from tests.support.store import take

PAGE_ENDPOINTS = ("flasgger.", "dashboard.")
"""Pages, their files and the document itself are no part of the document."""


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    answer = api.get("/openapi.json")
    assert answer.mimetype == "application/json"
    return dict(answer.json)


def test_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.0.3"
    schemathesis.openapi.from_dict(document).validate()  # against OpenAPI's own schema of 3.0


def test_every_route_is_in_it(api: Api, document: dict[str, Any]) -> None:
    routes = {
        (re.sub("<(?:path:)?(.*?)>", r"{\1}", rule.rule), method.lower())
        for rule in api.app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS") and not rule.endpoint.startswith(PAGE_ENDPOINTS)
    }
    assert routes == {(path, method) for path, methods in document["paths"].items() for method in methods}
    whole = Api(FakeClock(), {"test": {"clock": True}})
    assert len(documented(whole.app)) == len(OPERATIONS)


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_requests_are_described_by_what_validates_them(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    message = schemas["MessageIn"]
    assert message["required"] == ["message"]
    assert message["additionalProperties"] is False
    assert message["properties"]["priority"]["enum"] == ["high", "normal", "low", None]
    assert message["properties"]["channel"]["enum"] == [*CHANNELS, None]
    assert message["properties"]["retry"]["nullable"] is True
    assert schemas["BatchIn"]["properties"]["messages"]["maxItems"] == 1000
    assert "null" not in {kind for kind in _values_of("type", document) if isinstance(kind, str)}


def _values_of(name: str, value: Any) -> list[Any]:
    if isinstance(value, dict):
        here = [value[name]] if name in value else []
        return here + _values_of(name, list(value.values()))
    if isinstance(value, list):
        return [found for item in value for found in _values_of(name, item)]
    return []


def test_what_needs_no_token_says_so(clock: FakeClock) -> None:
    document = Api(clock, {"api": {"auth_token": "secret"}}).get("/openapi.json").json
    paths = document["paths"]
    assert document["security"] == [{"token": []}]
    assert paths["/health"]["get"]["security"] == []
    assert "401" not in paths["/health"]["get"]["responses"]
    assert "security" not in paths["/metrics"]["get"]
    assert "401" in paths["/metrics"]["get"]["responses"]


def test_no_lock_where_no_token_is_set(document: dict[str, Any]) -> None:
    """Swagger UI draws a lock at each operation that may have a token, and a button to enter one."""
    assert "securitySchemes" not in document["components"]
    assert _values_of("security", document) == []
    assert not any(
        "401" in operation["responses"] for path in document["paths"].values() for operation in path.values()
    )


def test_native_routes_come_first_and_kept_ones_last(document: dict[str, Any]) -> None:
    order = [
        "messages",
        "schedules",
        "flow control",
        "destinations",
        "history",
        "dead letters",
        "control",
        "health",
        "echo",
        "tasks",
        "jobs",
    ]
    assert [tag["name"] for tag in document["tags"]] == order
    assert all(tag["description"] for tag in document["tags"])
    shown = [operation["tags"][0] for path in document["paths"].values() for operation in path.values()]
    assert sorted(shown, key=order.index) == shown


def test_the_licence_has_words(document: dict[str, Any]) -> None:
    assert document["info"]["license"]["name"] == "MIT licence"


def test_live_answers_match_the_models(api: Api, clock: FakeClock) -> None:
    id = api.message()
    page = api.get("/v1/messages?status=scheduled").json
    for model, body in (
        (answers.MessageOut, api.post("/v1/messages", {"message": 1}).json),
        (answers.MessageDetail, api.get(f"/v1/messages/{id}").json),
        (answers.PageOut, page),
        (answers.BatchOut, api.post("/v1/messages/batch", {"messages": [{"message": 1}]}).json),
        (kept.EchoOut, api.post("/echoAtTime", {"time": 9e9, "message": "x"}).json),
        (kept.DoneOut, api.send("DELETE", "/echoAtTime", {"time": 9e9, "message": "x"}).json),
        (answers.RedrivenOut, api.post("/v1/dead-letters/redrive").json),
        (answers.PausedOut, api.post("/v1/resume").json),
        (answers.RootOut, api.get("/").json),
        (answers.MessageError, api.get("/health").json),
        (answers.PlainError, api.get("/nope").json),
        (answers.Problem, api.post("/v1/messages", {}).json),
    ):
        model.model_validate(body, strict=True)


def test_attempts_of_each_outcome_match_the_model(api: Api, clock: FakeClock) -> None:
    """Of a lost attempt nobody measured how long it took."""
    id = api.message(delay=0, flow={"key": "tenant"})
    take(api.store, 1, 1000)
    clock.advance(2)
    api.store.reap(10)
    (failed,) = take(api.store, 1, 1000).claims
    api.store.settle([Outcome(failed, "retry", 1.5, 2.5, 0, "503 Busy", {"status_code": 503})])
    (done,) = take(api.store, 1, 1000).claims
    api.store.settle([Outcome(done, "ack", 1.5, 2.5)])
    shown = answers.MessageDetail.model_validate(api.get(f"/v1/messages/{id}").json, strict=True).attempts
    assert [each.outcome for each in shown] == ["lost", "failed", "delivered"]
    assert [each.duration_ms for each in shown] == [None, 1.5, 1.5]
    assert [each.error is None for each in shown] == [False, False, True]


class TestPage:
    def test_only_from_here(self, api: Api) -> None:
        answer = api.get("/docs")
        assert answer.mimetype == "text/html"
        assert answer.headers["Content-Security-Policy"] == docs.CONTENT_SECURITY_POLICY
        assert "script-src 'self';" in docs.CONTENT_SECURITY_POLICY
        assert "//" not in answer.text
        assert "<script>" not in answer.text

    def test_everything_it_asks_for_is_here(self, api: Api) -> None:
        text = api.get("/docs").text
        asked = re.findall(r'(?:src|href|data-document)="([^"]+)"', text)
        assert len(asked) == 5
        for path in asked:
            assert not path.startswith("/"), "behind a proxy with a path in front it would not be found"
            assert api.get(f"/{path}").status_code == 200, path

    def test_the_ui_is_of_these_days(self, api: Api) -> None:
        version = api.get("/docs/assets/VERSION").text.strip().removeprefix("v")
        assert version.split(".")[0] == "5"
        assert f"flask-swagger-ui=={version}" in (ROOT / "requirements.txt").read_text().splitlines()

    def test_files_may_be_cached_and_the_document_may_not(self, api: Api) -> None:
        assert "max-age" in api.get("/docs/assets/swagger-ui.css").headers["Cache-Control"]
        assert api.get("/docs").headers["Cache-Control"] == "no-store"
        assert api.get("/openapi.json").headers["Cache-Control"] == "no-store"

    def test_none_of_flasggers_other_routes(self, api: Api) -> None:
        for path in (
            "/apidocs",
            "/apidocs/index.html",
            "/oauth2-redirect.html",
            "/apispec_1.json",
            "/docs/assets/../x",
        ):
            assert api.get(path).status_code == 404
