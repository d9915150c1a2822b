"""The token of the API: what it opens, what it closes, and that nothing tells it."""

from __future__ import annotations

import hmac

import pytest

from tests.support.api import ROUTES_WITH_BODY, ROUTES_WITHOUT_BODY, Api
from tests.support.clock import FakeClock


class TestToken:
    @pytest.fixture
    def api(self, clock: FakeClock) -> Api:
        return Api(clock, {"api": {"auth_token": "s3cret"}})

    @pytest.mark.parametrize("header", ["s3cret", "Bearer s3cret", "bearer s3cret", "BEARER  s3cret"])
    def test_right(self, api: Api, header: str) -> None:
        assert api.get("/v1/messages", headers={"Authorization": header}).status_code == 200

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "",
            "Bearer",
            "Bearer ",
            "s3cre",
            "s3crett",
            "S3CRET",
            "Basic s3cret",
            "Bearer Bearer s3cret",
            "s3cret\xff",
        ],
    )
    def test_wrong(self, api: Api, header: str | None) -> None:
        headers = {"Authorization": header} if header is not None else {}
        answer = api.get("/v1/messages", headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")

    def test_only_the_comparison_in_constant_time_decides(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        """Any other one tells by the time of its answer how much of a guess is right."""
        compared: list[tuple[bytes, bytes]] = []

        def refuse(given: bytes, expected: bytes) -> bool:
            compared.append((given, expected))
            return False

        monkeypatch.setattr(hmac, "compare_digest", refuse)
        assert api.get("/v1/messages", headers={"Authorization": "Bearer s3cret"}).status_code == 401
        assert compared == [(b"s3cret", b"s3cret")]

    @pytest.mark.parametrize(("method", "path"), [*ROUTES_WITH_BODY, *ROUTES_WITHOUT_BODY, ("GET", "/nope")])
    def test_closed(self, api: Api, method: str, path: str) -> None:
        answer = api.send(method, path)
        assert answer.status_code == 401
        if path.startswith("/v1"):
            assert answer.mimetype == "application/problem+json"
        elif path == "/echoAtTime":
            assert answer.json == {"status": "error", "message": "Unauthorized."}
        else:
            assert answer.json == {"status": 401, "data": "Unauthorized."}

    @pytest.mark.parametrize(
        "path", ["/", "/docs", "/docs/page.js", "/docs/assets/swagger-ui.css", "/openapi.json"]
    )  # fmt: skip
    def test_open(self, api: Api, path: str) -> None:
        assert api.get(path).status_code == 200

    def test_health_is_open(self, api: Api) -> None:
        assert api.get("/health").status_code == 503

    @pytest.mark.parametrize("path", ["/docsx", "/health/", "/healthz", "//v1/messages"])
    def test_nothing_else_is(self, api: Api, path: str) -> None:
        assert api.get(path).status_code == 401

    def test_no_way_out_of_the_open_folder(self, api: Api) -> None:
        for path in ("/docs/../v1/messages", "/docs/assets/../../v1/messages", "/docs/%2e%2e/v1/messages"):
            assert api.get(path).status_code == 404

    @pytest.mark.parametrize("given", ["s3cret", "s3cre_", "_3cret", "_", ""])
    def test_is_compared_in_a_time_that_tells_nothing(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, given: str
    ) -> None:
        compared: list[tuple[bytes, bytes]] = []

        def compare(one: bytes, other: bytes) -> bool:
            compared.append((one, other))
            return True

        monkeypatch.setattr("scheduler.access.hmac.compare_digest", compare)
        # Right or wrong, nothing but this comparison decides.
        assert api.get("/v1/messages", headers={"Authorization": f"Bearer {given}"}).status_code == 200
        assert compared == [(given.encode(), b"s3cret")]

    def test_a_token_is_replaced_while_clients_use_the_other(self, clock: FakeClock) -> None:
        """Each step of docs/runbook.md, with servers of the step before still running."""
        steps: list[tuple[str | list[str], ...]] = [("old", ["old", "new"]), (["old", "new"],), ("old, new", "new")]
        for settings, used in zip(steps, ("old", "old", "new"), strict=True):
            for tokens in settings:
                api = Api(clock, {"api": {"auth_token": tokens}})
                assert api.get("/v1/messages", headers={"Authorization": f"Bearer {used}"}).status_code == 200
                for wrong in ("old,new", "old new", ""):
                    assert api.get("/v1/messages", headers={"Authorization": wrong}).status_code == 401

    def test_nothing_of_it_is_in_an_answer(self, api: Api) -> None:
        for path in ("/", "/docs", "/openapi.json", "/v1/messages"):
            assert "s3cret" not in api.get(path).text
