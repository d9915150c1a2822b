"""Pages of other sites, and names that somebody made resolve to this machine: who may use the HTTP API."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scheduler.api.http.openapi import documented
from scheduler.jobs import REGISTRY
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.unit.api.test_api_errors import words_of

REGISTRY.handler("located")(lambda payload, context: None)

EVIL = "https://evil.example"


def routes(api: Api) -> set[tuple[str, str]]:
    """Method and path of every documented route."""
    return {(method, re.sub("<.*?>", "some-id", rule.rule)) for rule, method, _ in documented(api.app)}


def pause(api: Api, **headers: str) -> int:
    """The status of the request that stops the service."""
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    return int(api.post("/v1/pause", headers=given).status_code)


class TestPages:
    @pytest.fixture
    def api(self, clock: FakeClock) -> Api:
        return Api(clock)

    @pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}], ids=["origin", "site"])
    def test_of_another_site_change_nothing(self, api: Api, headers: dict[str, str]) -> None:
        for method, path in routes(api):
            answer = api.send(method, path, headers=headers)
            if method == "GET":  # their browser does not show them the answer
                assert answer.status_code != 403, path
            else:
                assert answer.status_code == 403, path
                words = words_of(answer)
                assert "may not use this service" in words
                assert "Api.CorsOrigins" in words

    def test_forms_need_no_preflight_and_are_refused_as_well(self, api: Api) -> None:
        form = "application/x-www-form-urlencoded"
        answer = api.send("POST", "/echoAtTime", data="time=1&message=x", headers={"Origin": EVIL}, content_type=form)
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "origin",
        [
            EVIL,
            "null",
            "file://",
            "chrome-extension://abc",
            "http://localhost:8080",  # another service of this machine
            "http://localhost.evil.example",
            "http://[",
            "http://localhost:99999",
        ],
    )
    def test_no_other_origin(self, api: Api, origin: str) -> None:
        assert pause(api, Origin=origin) == 403

    @pytest.mark.parametrize(
        ("origin", "host"),
        [
            ("http://localhost:3000", "localhost:3000"),
            ("http://127.0.0.1:3000", "127.0.0.1:3000"),
            ("http://[::1]:3000", "[::1]:3000"),
            ("http://localhost", "localhost"),
            ("http://scheduler.localhost:3000", "scheduler.localhost:3000"),
        ],
    )
    def test_of_the_service_itself_as_dashboard_and_swagger_send(self, api: Api, origin: str, host: str) -> None:
        assert pause(api, Origin=origin, Host=host) == 200
        assert pause(api, Origin=origin, Host=host, Sec_Fetch_Site="same-origin") == 200

    def test_programs_say_nothing_of_a_site(self, api: Api) -> None:
        assert pause(api) == 200
        assert pause(api, Sec_Fetch_Site="none") == 200

    def test_a_browser_knows_better_than_the_name_that_a_proxy_calls(self, api: Api) -> None:
        headers = {"Origin": "https://ops.example.com", "Host": "127.0.0.1:3000"}
        assert pause(api, **headers) == 403
        assert pause(api, **headers, Sec_Fetch_Site="same-origin") == 200
        assert pause(api, **headers, Sec_Fetch_Site="same-site") == 403

    def test_those_of_the_settings(self, clock: FakeClock) -> None:
        api = Api(clock, {"api": {"cors_origins": "https://ops.example.com:443,http://b:81"}})
        assert pause(api, Origin="https://OPS.example.com", Sec_Fetch_Site="cross-site") == 200
        assert pause(api, Origin="http://b:81") == 200
        assert pause(api, Origin=EVIL) == 403
        assert pause(Api(clock, {"api": {"cors_origins": "*"}}), Origin=EVIL, Sec_Fetch_Site="cross-site") == 200

    def test_those_of_the_public_url(self, clock: FakeClock) -> None:
        api = Api(clock, {"server": {"public_url": "https://ops.example.com:8443/scheduler"}})
        assert pause(api, Origin="https://ops.example.com:8443") == 200
        assert pause(api, Origin="https://ops.example.com") == 403

    def test_are_not_told_whether_their_token_was_right(self, clock: FakeClock) -> None:
        api = Api(clock, {"api": {"auth_token": "secret"}})
        assert pause(api, Origin=EVIL, Authorization="wrong") == pause(api, Origin=EVIL, Authorization="secret") == 403

    def test_a_long_name_is_not_repeated_in_full(self, api: Api) -> None:
        answer = api.post("/v1/pause", headers={"Origin": "https://" + "e" * 5000})
        assert len(answer.text) < 600


class TestHost:
    @pytest.mark.parametrize(
        "path", ["/", "/health", "/v1/messages", "/schedules", "/api/jobs", "/echoAtTime", "/nope"]
    )
    def test_a_name_that_resolves_to_this_machine_is_not_enough(self, clock: FakeClock, path: str) -> None:
        """The page's own site by its name (DNS rebinding): no rule about origins holds it off, reading included."""
        headers = {"Host": "evil.example:3000", "Origin": "http://evil.example:3000"}
        for method in ("GET", "POST"):
            answer = Api(clock).send(method, path, headers=headers)
            assert answer.status_code == 403
            assert "Server.PublicUrl" in answer.text

    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "LOCALHOST:3000",
            "127.0.0.1:3000",
            "127.8.8.8",
            "[::1]:3000",
            "a.localhost",
            "ops.example.com:8443",
        ],
    )
    def test_names_that_are_known(self, clock: FakeClock, host: str) -> None:
        api = Api(clock, {"server": {"public_url": "https://OPS.example.com/scheduler"}})
        assert api.get("/v1/messages", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize(
        "host", ["localhost.evil.example", "evil.example", "192.168.1.5", "[", "a b", "127.0.0.1.nip.io"]
    )
    def test_no_others(self, clock: FakeClock, host: str) -> None:
        assert Api(clock).get("/v1/messages", headers={"Host": host}).status_code == 403

    def test_a_program_without_a_name_for_us(self, clock: FakeClock) -> None:
        assert Api(clock).get("/health", environ_overrides={"HTTP_HOST": ""}).status_code != 403

    @pytest.mark.parametrize(
        "settings",
        [
            {"server": {"host": "0.0.0.0"}},
            {"api": {"auth_token": "secret"}},
            {"api": {"cors_origins": "*"}},
            {"api": {"cors_origins": "https://evil.example"}},
        ],
        ids=str,
    )
    def test_any_where_others_reach_it_too_or_a_token_is_asked_for(
        self, clock: FakeClock, settings: dict[str, Any]
    ) -> None:
        answer = Api(clock, settings).get(
            "/v1/messages", headers={"Host": "evil.example", "Authorization": "Bearer secret"}
        )
        assert answer.status_code == 200


def test_addresses_in_answers_are_those_that_clients_can_call(clock: FakeClock) -> None:
    for public, prefix in (("", ""), ("https://ops.example.com/scheduler/", "https://ops.example.com/scheduler")):
        api = Api(clock, {"server": {"public_url": public}})
        message = api.post("/v1/messages", {"message": 1})
        assert message.headers["Location"] == f"{prefix}/v1/messages/{message.json['id']}"
        job = api.post("/api/jobs", {"type": "located", "payload": {}, "user_id": "u"})
        assert job.headers["Location"] == f"{prefix}/api/jobs/{job.json['_id']}"
        for _ in range(2):
            api.post("/schedule", {"webhook": "https://example.com", "ttl": 60, "data": 1})
        page = api.get("/schedules?limit=1")
        assert page.headers["Link"].startswith(f"<{prefix}/schedules?limit=1&cursor=")
