"""Rate limits per client and per user, and CORS."""

from __future__ import annotations

from typing import Any

import fakeredis
import pytest
import redis

from scheduler.jobs import REGISTRY
from tests.support.api import Api, AwayStore
from tests.support.clock import FakeClock

REGISTRY.handler("limited")(lambda payload, context: None)

MESSAGE = {"message": 1}
OTHER = "http://app.example:5173"


def job(user: str = "u1") -> dict[str, Any]:
    return {"type": "limited", "payload": {}, "user_id": user}


def limits(answer: Any) -> tuple[str | None, str | None]:
    return answer.headers.get("RateLimit-Limit"), answer.headers.get("RateLimit-Remaining")


class TestPerUser:
    @pytest.fixture
    def api(self, clock: FakeClock) -> Api:
        return Api(clock, {"jobs": {"rate_limit_per_user": "2/Minute"}})

    def test_the_default_is_sixty_a_minute(self, clock: FakeClock) -> None:
        assert limits(Api(clock).post("/api/jobs", job())) == ("60", "59")

    def test_beyond_it_is_refused_and_says_when_to_come_back(self, api: Api) -> None:
        assert [limits(api.post("/api/jobs", job())) for _ in range(2)] == [("2", "1"), ("2", "0")]
        answer = api.post("/api/jobs", job())
        assert (answer.status_code, answer.json) == (429, {"detail": "Rate limit exceeded"})
        assert limits(answer) == ("2", "0")
        assert answer.headers["Retry-After"] == answer.headers["RateLimit-Reset"]
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert api.store.counts().due == 2

    def test_each_user_has_its_own(self, api: Api) -> None:
        for _ in range(3):
            api.post("/api/jobs", job("u1"))
        assert api.post("/api/jobs", job("u2")).status_code == 201

    def test_it_is_for_submitting_jobs_only(self, api: Api) -> None:
        for _ in range(3):
            answer = api.post("/api/jobs", job())
        for answer in (api.get("/api/jobs"), api.get("/api/stats"), api.post("/v1/messages", MESSAGE)):
            assert answer.status_code in (200, 201)
            assert limits(answer) == (None, None)

    def test_what_is_refused_for_another_reason_is_not_counted(self, api: Api) -> None:
        for _ in range(3):
            assert api.post("/api/jobs", {**job(), "priority": 9}).status_code == 422
        assert limits(api.post("/api/jobs", job())) == ("2", "1")

    def test_the_keys_are_ours_expire_and_show_no_name(self, api: Api) -> None:
        api.post("/api/jobs", job("somebody@example.org"))
        client: Any = api.store.client
        (key,) = client.keys("ms1:rate:*")
        assert "somebody" not in key
        assert 0 < client.ttl(key) <= 60
        assert [key for key in client.keys("*") if not key.startswith("ms1:")] == []

    def test_switched_off(self, clock: FakeClock) -> None:
        api = Api(clock, {"jobs": {"rate_limit_per_user": ""}})
        assert limits(api.post("/api/jobs", job())) == (None, None)
        assert api.store.client.keys("ms1:rate:*") == []


class TestPerClient:
    def api(self, clock: FakeClock, rate: str = "2/minute", **settings: Any) -> Api:
        return Api(clock, {"api": {"rate_limit": rate, **settings}})

    def test_off_by_default(self, clock: FakeClock) -> None:
        assert limits(Api(clock).post("/v1/messages", MESSAGE)) == (None, None)

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/v1/messages", {"type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": "{}"}),
            ("/echoAtTime", {"status": "error", "message": "{}"}),
            ("/api/jobs", {"detail": "{}"}),
            ("/schedule", {"status": 429, "error": "{}"}),
        ],
    )
    def test_all_writes_count_together_and_are_refused_in_their_areas_words(
        self, clock: FakeClock, path: str, body: dict[str, Any]
    ) -> None:
        api = self.api(clock)
        assert limits(api.post("/v1/messages", MESSAGE)) == ("2", "1")
        assert limits(api.post("/v1/pause")) == ("2", "0")
        answer = api.post(path, {})
        assert answer.status_code == 429
        assert answer.json == {name: "Rate limit exceeded" if text == "{}" else text for name, text in body.items()}
        assert int(answer.headers["Retry-After"]) >= 1

    def test_reading_is_free(self, clock: FakeClock) -> None:
        api = self.api(clock)
        for _ in range(4):
            assert api.get("/v1/messages").status_code == 200
        assert api.post("/v1/messages", MESSAGE).status_code == 201

    def test_each_address_has_its_own(self, clock: FakeClock) -> None:
        api = self.api(clock, "1/minute")
        answers = [self.from_address(api, address) for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1")]
        assert answers == [201, 201, 429]

    def test_of_ipv6_a_network_is_one_client(self, clock: FakeClock) -> None:
        api = self.api(clock, "1/minute")
        answers = [self.from_address(api, f"2001:db8:0:{network}::{n}") for network, n in ((1, 1), (1, 2), (2, 1))]
        assert answers == [201, 429, 201]

    @staticmethod
    def from_address(api: Api, address: str) -> int:
        answer = api.post("/v1/messages", MESSAGE, environ_overrides={"REMOTE_ADDR": address})
        return int(answer.status_code)

    def test_a_made_up_token_is_no_way_around(self, clock: FakeClock) -> None:
        api = self.api(clock, "1/minute")
        answers = [api.post("/v1/messages", MESSAGE, headers={"Authorization": str(n)}).status_code for n in range(2)]
        assert answers == [201, 429]

    @pytest.mark.parametrize(
        "spelling",
        ["secret", "Bearer secret", "bearer secret", "Bearer  secret", "Bearer secret  ", "BEARER   secret "],
    )
    def test_nor_is_another_spelling_of_the_right_one(self, clock: FakeClock, spelling: str) -> None:
        api = self.api(clock, "1/minute", auth_token="secret")
        assert self.bearing(api, "secret") == 201
        assert self.bearing(api, spelling) == 429

    def test_a_wrong_token_is_not_counted(self, clock: FakeClock) -> None:
        api = self.api(clock, "1/minute", auth_token="secret")
        assert [self.bearing(api, token) for token in ("wrong", "wrong", "secret")] == [401, 401, 201]
        assert "secret" not in str(api.store.client.keys())

    def test_a_client_is_a_token_and_an_address(self, clock: FakeClock) -> None:
        """All honest clients of one token shared one bucket: the first of them used up the limit of all."""
        api = self.api(clock, "1/minute", auth_token="one,two")
        clients = [("one", "10.0.0.1"), ("one", "10.0.0.2"), ("two", "10.0.0.1")]
        assert [self.bearing(api, *client) for client in clients] == [201, 201, 201]
        assert [self.bearing(api, *client) for client in clients] == [429, 429, 429]

    @staticmethod
    def bearing(api: Api, token: str, address: str = "10.0.0.1") -> int:
        answer = api.post(
            "/v1/messages",
            MESSAGE,
            headers={"Authorization": token},
            environ_overrides={"REMOTE_ADDR": address},
        )
        return int(answer.status_code)

    def test_forwarded_addresses_count_behind_a_trusted_proxy_only(self, clock: FakeClock) -> None:
        def answers(trusted: str) -> list[int]:
            api = self.api(clock, "1/minute", trusted_proxies=trusted)
            return [
                api.post("/v1/messages", MESSAGE, headers={"X-Forwarded-For": client}).status_code
                for client in ("203.0.113.1", "203.0.113.2", "203.0.113.1")
            ]

        assert answers("127.0.0.1") == [201, 201, 429]
        assert answers("") == answers("10.0.0.0/8") == [201, 429, 429]

    def test_the_stricter_of_both_limits_holds(self, clock: FakeClock) -> None:
        api = Api(clock, {"api": {"rate_limit": "2/minute"}, "jobs": {"rate_limit_per_user": "1/minute"}})
        assert [api.post("/api/jobs", job(user)).status_code for user in ("a", "a", "b")] == [201, 429, 429]

    def test_redis_away_lets_nobody_through_unseen(self, clock: FakeClock) -> None:
        api = Api(clock, {"api": {"rate_limit": "2/minute"}}, store=AwayStore())
        answer = api.post("/v1/resume")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.mimetype == "application/problem+json"

    def test_redis_going_away_after_the_counting_takes_nothing_back(self, clock: FakeClock) -> None:
        api = self.api(clock)

        def cut(*_: Any) -> None:
            raise redis.ConnectionError("cut")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fakeredis.FakeRedis, "ttl", cut)
            answer = api.post("/v1/messages", MESSAGE)
        assert (answer.status_code, limits(answer)) == (201, (None, None))


ASK = {"Origin": OTHER, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


class TestCors:
    def api(self, clock: FakeClock, origins: str = f"{OTHER},https://[::1]:8443") -> Api:
        return Api(clock, {"api": {"cors_origins": origins, "auth_token": "secret"}})

    def test_none_by_default(self, clock: FakeClock) -> None:
        api = Api(clock)
        answer = api.get("/health", headers={"Origin": OTHER})
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert api.send("OPTIONS", "/v1/messages", headers=ASK).status_code == 405

    def test_a_named_origin_is_asked_and_answered(self, clock: FakeClock) -> None:
        api = self.api(clock)
        asked = api.send("OPTIONS", "/v1/messages", headers=ASK)
        assert asked.status_code == 204
        assert asked.headers["Access-Control-Allow-Origin"] == OTHER
        assert asked.headers["Access-Control-Allow-Headers"] == "authorization"
        allowed = asked.headers["Access-Control-Allow-Methods"].split(", ")
        assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(allowed)
        assert asked.headers["Access-Control-Max-Age"] == "600"
        assert "Access-Control-Allow-Credentials" not in asked.headers
        answer = api.post("/v1/messages", MESSAGE, headers={"Origin": OTHER, "Authorization": "secret"})
        assert answer.status_code == 201
        assert answer.headers["Access-Control-Allow-Origin"] == OTHER
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.headers["Vary"]

    def test_errors_can_be_read_too(self, clock: FakeClock) -> None:
        answer = self.api(clock).post("/v1/messages", MESSAGE, headers={"Origin": OTHER})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, OTHER)

    @pytest.mark.parametrize(
        "origin",
        ["http://evil.example", f"{OTHER}.evil.example", "http://appxexample:5173", "null", "https://::1:8443"],
    )
    def test_no_other(self, clock: FakeClock, origin: str) -> None:
        answer = self.api(clock).send("OPTIONS", "/v1/messages", headers={**ASK, "Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers

    @pytest.mark.parametrize(
        ("origins", "origin"),
        [(OTHER, OTHER.upper()), ("https://[::1]:8443", "https://[::1]:8443"), ("*", "http://any")],
    )
    def test_spellings(self, clock: FakeClock, origins: str, origin: str) -> None:
        answer = self.api(clock, origins).get("/health", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] in (origin, "*")
