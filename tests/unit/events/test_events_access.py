"""Who may watch live events: the address, the page that asks, the token."""

from __future__ import annotations

import base64
import hmac
from http import HTTPStatus
from typing import Any

import pytest
from websockets.datastructures import Headers

from scheduler.config.settings import Settings
from scheduler.events.access import PATH, Access, choose_protocol

TOKEN = "s3cret/+~token"


def status(
    address: str = PATH,
    token: str = "",
    port: int = 3000,
    origins: Any = "",
    listening: str = "0.0.0.0",
    public: str = "",
    **headers: str,
) -> int:
    """200 for who may watch, else the status of the refusal.  ``listening``: ``Server.Host``."""
    settings = Settings.model_validate(
        {
            "api": {"auth_token": token},
            "server": {"port": port, "host": listening, "public_url": public},
            "events": {"allowed_origins": origins},
        }
    )
    given = Headers({"Host": "scheduler:3001", **{name.replace("_", "-"): text for name, text in headers.items()}})
    refusal = Access(settings).refuse(address, given)
    return 200 if refusal is None else refusal.status.value


def coded(token: str) -> str:
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


class TestAddress:
    @pytest.mark.parametrize("address", ["/v1/events", "/v1/events?status=dead", "/api/ws", "/api/ws?x=1"])
    def test_there(self, address: str) -> None:
        assert status(address) == 200

    @pytest.mark.parametrize("address", ["/", "/v1/events/", "/v1/eventsx", "/v1/EVENTS", "//v1/events"])
    def test_nowhere_else(self, address: str) -> None:
        assert status(address) == HTTPStatus.NOT_FOUND


class TestToken:
    @pytest.mark.parametrize("text", [TOKEN, f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
    def test_in_the_header(self, text: str) -> None:
        assert status(token=TOKEN, Authorization=text) == 200

    def test_is_compared_in_a_time_that_tells_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        compared: list[tuple[bytes, bytes]] = []

        def compare(one: bytes, other: bytes) -> bool:
            compared.append((one, other))
            return True

        monkeypatch.setattr("scheduler.access.hmac.compare_digest", compare)
        assert status(token=TOKEN, Authorization="Bearer wrong") == 200, "nothing but this comparison decides"
        assert compared == [(b"wrong", TOKEN.encode())]

    @pytest.mark.parametrize("token", [TOKEN, "a", "ab", "abc", "abcd"])
    def test_as_a_subprotocol_for_browsers(self, token: str) -> None:
        assert status(token=token, Sec_WebSocket_Protocol=f"events.v1, bearer.{coded(token)}") == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer"},
            {"Authorization": "wrong"},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": "Bearer s3cré"},
            {"Sec_WebSocket_Protocol": "events.v1"},
            {"Sec_WebSocket_Protocol": f"events.v1, bearer.{coded('wrong')}"},
            {"Sec_WebSocket_Protocol": f"events.v1, bearer.{TOKEN}"},
            {"Sec_WebSocket_Protocol": "events.v1, bearer.é"},
            {"Sec_WebSocket_Protocol": "events.v1, bearer.a"},
        ],
    )
    def test_missing_or_wrong(self, headers: dict[str, Any]) -> None:
        assert status(token=TOKEN, **headers) == HTTPStatus.UNAUTHORIZED

    @pytest.mark.parametrize("token", ["old", "new"])
    def test_any_of_several(self, token: str) -> None:
        assert status(token="old,new", Authorization=f"Bearer {token}") == 200
        assert status(token="old,new", Authorization="Bearer old,new") == HTTPStatus.UNAUTHORIZED

    def test_only_the_comparison_in_constant_time_decides(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Any other one tells by the time of its answer how much of a guess is right."""
        monkeypatch.setattr(hmac, "compare_digest", lambda given, expected: False)
        assert status(token=TOKEN, Authorization=TOKEN) == HTTPStatus.UNAUTHORIZED

    def test_none_needed(self) -> None:
        assert status(Authorization="whatever") == 200

    def test_is_never_answered(self) -> None:
        assert choose_protocol(None, [f"bearer.{coded(TOKEN)}", "events.v1"]) == "events.v1"  # type: ignore[list-item]
        assert choose_protocol(None, [f"bearer.{coded(TOKEN)}"]) is None  # type: ignore[list-item]


class TestOrigin:
    @pytest.mark.parametrize(
        ("origin", "host"),
        [
            ("http://scheduler:3000", "scheduler:3001"),
            ("http://127.0.0.1:3000", "127.0.0.1:3001"),
            # All names of this machine are one.
            ("http://localhost:3000", "127.0.0.1:3001"),
            ("http://[::1]:3000", "localhost:3001"),
            # Both behind one proxy.
            ("https://ops.example.com", "ops.example.com"),
            ("https://ops.example.com:8443", "ops.example.com:8443"),
        ],
    )
    def test_pages_of_this_service(self, origin: str, host: str) -> None:
        assert status(Origin=origin, Host=host) == 200

    @pytest.mark.parametrize(
        ("origin", "host"),
        [
            ("http://evil.example.com", "127.0.0.1:3001"),
            ("http://evil.example.com:3000", "127.0.0.1:3001"),
            ("http://127.0.0.1:8080", "127.0.0.1:3001"),
            ("http://127.0.0.1", "127.0.0.1:3001"),
            ("http://127.0.0.1:99999", "127.0.0.1:3001"),
            ("http://localhost.evil.com:3000", "localhost:3001"),
            ("null", "127.0.0.1:3001"),
            ("", "127.0.0.1:3001"),
            ("file://", "127.0.0.1:3001"),
            ("http://127.0.0.1:3000", ""),
        ],
    )
    def test_no_others(self, origin: str, host: str) -> None:
        assert status(Origin=origin, Host=host) == HTTPStatus.FORBIDDEN

    def test_any_port_of_this_host_when_the_api_takes_a_free_one(self) -> None:
        assert status(Origin="http://127.0.0.1:40000", Host="127.0.0.1:3001", port=0) == 200
        assert status(Origin="http://other:40000", Host="127.0.0.1:3001", port=0) == HTTPStatus.FORBIDDEN

    @pytest.mark.parametrize("origin", ["https://Ops.example.com", "https://ops.example.com:443", "http://b:81"])
    def test_those_of_the_settings(self, origin: str) -> None:
        assert status(Origin=origin, origins=["https://ops.example.com", "http://b:81"]) == 200
        assert status(Origin="https://ops.example.org", origins="https://ops.example.com") == HTTPStatus.FORBIDDEN

    def test_all_when_the_settings_say_so(self) -> None:
        assert status(Origin="https://anything.example.com", origins="*") == 200

    def test_no_browser_no_origin(self) -> None:
        assert status() == 200

    def test_a_page_that_may_not_ask_is_not_told_whether_its_token_was_right(self) -> None:
        assert status(token=TOKEN, Origin="http://evil.example.com", Authorization="wrong") == HTTPStatus.FORBIDDEN

    def test_through_a_proxy_that_has_a_name_of_its_own(self) -> None:
        public = "https://ops.example.com/scheduler"
        assert status(Origin="https://ops.example.com", Host="10.0.0.7:3001", public=public) == 200
        assert status(Origin="https://ops.example.org", Host="10.0.0.7:3001", public=public) == HTTPStatus.FORBIDDEN

    def test_a_browser_that_only_says_that_the_site_is_another(self) -> None:
        assert status(Sec_Fetch_Site="cross-site") == HTTPStatus.FORBIDDEN
        assert status(Sec_Fetch_Site="same-origin") == 200


class TestHost:
    def test_a_name_that_somebody_made_resolve_to_this_machine(self) -> None:
        page = {"Origin": "http://evil.example:3000", "Host": "evil.example:3001"}
        assert status(listening="127.0.0.1", **page) == HTTPStatus.FORBIDDEN  # type: ignore[arg-type]
        assert status(listening="127.0.0.1", Host="evil.example:3001") == HTTPStatus.FORBIDDEN

    @pytest.mark.parametrize("host", ["127.0.0.1:3001", "localhost:3001", "[::1]:3001", "ops.example.com"])
    def test_names_that_are_known(self, host: str) -> None:
        assert status(listening="127.0.0.1", public="https://ops.example.com/x", Host=host) == 200
