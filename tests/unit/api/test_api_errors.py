"""What is wrong is said in the shape of its area, whatever comes in: bodies, paths, methods, our own faults."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from scheduler.jobs import REGISTRY
from tests.support.api import ROUTES_WITH_BODY, ROUTES_WITHOUT_BODY, Api, AwayStore
from tests.support.clock import FakeClock

FORM = "application/x-www-form-urlencoded"
LATIN = "application/json; charset=latin-1"
PROFILE = "application/json; profile=x; charset=latin-1;"
LIMIT = 20_000


REGISTRY.handler("held")(lambda payload, context: None)


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock, {"api": {"max_body_bytes": LIMIT}})


def words_of(answer: Any) -> str:
    """What was wrong, after a check of the shape that the path asks for."""
    body = answer.json
    path = answer.request.path
    if path.startswith("/v1"):
        assert answer.mimetype == "application/problem+json"
        assert set(body) - {"errors"} == {"type", "title", "status", "detail"}
        assert body["status"] == answer.status_code
        return str(body["detail"])
    assert answer.mimetype == "application/json"
    if path in ("/echoAtTime", "/health"):
        assert set(body) == {"status", "message"}
        assert body["status"] == "error"
        return str(body["message"])
    if path.startswith("/api"):
        assert set(body) == {"detail"}
        return str(body["detail"])
    assert set(body) == {"status", "error"}
    assert body["status"] == answer.status_code
    return str(body["error"])


def raw(api: Api, method: str, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
    return api.client.open(path, method=method, data=body, content_type=content_type, headers=headers)


class TestPaths:
    @pytest.mark.parametrize("path", ["/nope", "/favicon.ico", "/v11", "/echoAtTime/", "/health/x", "/apix"])
    def test_unknown_elsewhere(self, api: Api, path: str) -> None:
        answer = api.get(path)
        assert answer.status_code == 404
        if path not in ("/echoAtTime/", "/health/x"):
            assert answer.json == {"status": 404, "error": "Route not found."}

    @pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nope", "/v1/messages/", "/v1/messages/a/b", "/v1//messages"])
    def test_unknown_under_v1(self, api: Api, path: str) -> None:
        answer = api.get(path)
        assert answer.status_code == 404
        assert path in words_of(answer)

    @pytest.mark.parametrize("path", ["/api", "/api/", "/api/job", "/api/jobs/"])
    def test_unknown_under_api(self, api: Api, path: str) -> None:
        answer = api.get(path)
        assert (answer.status_code, answer.json) == (404, {"detail": "Not Found"})

    @pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "BREW"])
    @pytest.mark.parametrize("path", ["/", "/health", "/echoAtTime", "/v1/messages", "/v1/messages/x", "/metrics"])
    def test_wrong_method(self, api: Api, method: str, path: str) -> None:
        answer = api.send(method, path)
        assert (answer.status_code, words_of(answer)) == (405, "Method not allowed.")
        assert answer.headers["Allow"]

    def test_head(self, api: Api) -> None:
        answer = api.send("HEAD", "/")
        assert (answer.status_code, answer.data) == (200, b"")


class TestBodies:
    @pytest.mark.parametrize(("method", "path"), ROUTES_WITH_BODY)
    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"{", "not valid JSON"),
            (b"{'a': 1}", "not valid JSON"),
            (b'{"message": 1,}', "not valid JSON"),
            (b'{"message": NaN}', "not valid JSON"),
            (b'{"message": Infinity, "x": 12345678901234567890}', "not valid JSON: Infinity"),
            (b'{"message": 1e400}', "not valid JSON"),
            (b'{"message": 1e400, "x": 12345678901234567890}', "out of range"),
            (b'{"message": "\\ud800"}', "surrogate"),
            (b'{"message": "\\ud800", "x": 12345678901234567890}', "surrogates not allowed"),
            (b'{"message": "\xff"}', "UTF-8"),
            (b'{"message": "\xff", "x": 12345678901234567890}', "invalid start byte"),
            (b'{"message": "a\x00b"}', "control character"),
            (b"\xef\xbb\xbf{}", "not valid JSON"),
            (b"[" * 9000 + b"]" * 9000, "not valid JSON"),
            (b"[" * 9000 + b"12345678901234567890" + b"]" * 9000, "nested too deeply"),
            (b'{"a":' * 3000 + b"1" + b"}" * 3000, "not valid JSON"),
            (b"\x00" * 50, "not valid JSON"),
        ],
    )
    def test_hostile(self, api: Api, method: str, path: str, body: bytes, words: str) -> None:
        answer = raw(api, method, path, body)
        assert answer.status_code == 400
        assert words in words_of(answer)
        assert not api.log.errors

    @pytest.mark.parametrize(("method", "path"), ROUTES_WITH_BODY)
    def test_nested_as_deep_as_the_parser_goes(self, api: Api, method: str, path: str) -> None:
        for depth in (200, 255, 500, 900, 1020):
            body = b'{"message": %s, "time": 9e9}' % (b"[" * depth + b"]" * depth)
            assert raw(api, method, path, body).status_code in (200, 201, 400, 404), depth
        assert not api.log.errors

    @pytest.mark.parametrize(("method", "path"), ROUTES_WITH_BODY[:-1])
    def test_empty(self, api: Api, method: str, path: str) -> None:
        answer = api.send(method, path)
        assert answer.status_code == 400
        assert "the body is empty" in words_of(answer)

    @pytest.mark.parametrize(("method", "path"), ROUTES_WITH_BODY)
    def test_too_large(self, api: Api, method: str, path: str) -> None:
        answer = raw(api, method, path, b'{"message": "%s"}' % (b"x" * LIMIT))
        assert answer.status_code == 413
        assert "Api.MaxBodyBytes" in words_of(answer)

    @pytest.mark.parametrize(("size", "status"), [(LIMIT, 201), (LIMIT + 1, 413)])
    @pytest.mark.parametrize("chunked", [False, True])
    def test_exactly_the_limit(self, api: Api, size: int, status: int, chunked: bool) -> None:
        body = b'{"message": "%s"}' % (b"x" * (size - len('{"message": ""}')))
        assert len(body) == size
        more: dict[str, Any] = {"data": body}
        if chunked:
            more = {
                "input_stream": io.BytesIO(body),
                "environ_overrides": {"wsgi.input_terminated": True},
                "headers": {"Transfer-Encoding": "chunked"},
            }
        answer = api.client.post("/v1/messages", content_type="application/json", **more)
        assert answer.status_code == status

    def test_what_follows_a_valid_prefix_is_not_cut_off(self, api: Api) -> None:
        body = b'{"message": 1}' + b" " * LIMIT + b"garbage"
        answer = api.client.post(
            "/v1/messages",
            input_stream=io.BytesIO(body),
            content_type="application/json",
            headers={"Transfer-Encoding": "chunked"},
        )
        assert answer.status_code == 413

    def test_shorter_than_it_says(self, api: Api) -> None:
        answer = api.client.post(
            "/v1/messages",
            input_stream=io.BytesIO(b'{"message": 1}'),
            content_type="application/json",
            environ_overrides={"CONTENT_LENGTH": "20"},
        )
        assert answer.status_code == 400
        assert words_of(answer).startswith("the body broke off: it is shorter than its Content-Length")
        assert sum(api.store.counts().scheduled.values()) == 0

    @pytest.mark.parametrize(("coding", "status"), [("gzip", 415), ("br", 415), ("identity", 201)])
    def test_a_compressed_body_is_refused_by_name(self, api: Api, coding: str, status: int) -> None:
        answer = api.post("/v1/messages", {"message": 1}, headers={"Content-Encoding": coding})
        assert answer.status_code == status
        if status == 415:
            assert f"Content-Encoding: {coding}" in words_of(answer)

    @pytest.mark.parametrize(
        ("method", "path", "content_type"),
        [
            (method, path, content_type)
            for method, path in ROUTES_WITH_BODY
            for content_type in ("", FORM, "text/plain", "text/json", "application/jsonx", LATIN, PROFILE, ";")
            # Its older clients send forms, or declare nothing: test_api_echo.py.
            if path != "/echoAtTime" or content_type not in ("", FORM)
        ],
    )
    def test_wrong_content_type(self, api: Api, method: str, path: str, content_type: str) -> None:
        answer = raw(api, method, path, b"{}", content_type)
        assert answer.status_code == 415
        assert "Content-Type: application/json" in words_of(answer)

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "Application/JSON; charset=UTF-8",
            'application/json;charset="utf-8"',
            "application/a+json",
            "application/json;",
            "application/json; ",
            "application/json ;charset=utf-8;",
            "application/json; charset=utf-8; profile=x",
            "application/json; profile=x; charset=UTF8",
        ],
    )
    def test_json_by_another_name(self, api: Api, content_type: str) -> None:
        assert raw(api, "POST", "/v1/messages", b'{"message": 1}', content_type).status_code == 201

    @pytest.mark.parametrize("digits", [19, 4299, 4300, 4301, 20_000 - 100])
    @pytest.mark.parametrize("sign", ["", "-"])
    def test_integers_of_any_length_are_kept(self, api: Api, digits: int, sign: str) -> None:
        number = sign + "9" * digits
        message = f'[1,{number},{{"é":{number},"a":"{"8" * 30}"}}]' if digits < LIMIT / 2 else number
        body = f'{{"message":{message},"delay":60}}'
        answer = raw(api, "POST", "/v1/messages", body.encode())
        assert answer.status_code == 201
        assert number in answer.text
        kept = api.store.get(answer.headers["Location"].rpartition("/")[2]).payload
        assert kept == message

    def test_long_integers_tell_two_requests_apart(self, api: Api) -> None:
        def send(body: bytes) -> int:
            return int(raw(api, "POST", "/v1/messages", body, **{"Idempotency-Key": "k"}).status_code)

        number = b"9" * 5000
        assert send(b'{"message": %s, "delay": 60}' % number) == 201
        assert send(b'{"delay": 60, "message": %s}' % number) == 201
        assert send(b'{"delay": 60, "message": %s1}' % number[1:]) == 409

    def test_a_handler_is_given_no_integer_that_python_cannot_hold(self, api: Api) -> None:
        number = b"9" * 5000
        answer = raw(api, "POST", "/v1/messages", b'{"message": %s, "job": {"type": "held"}}' % number)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "message")
        assert "a handler in Python cannot take" in words_of(answer)
        text = b'{"message": "%s", "job": {"type": "held"}}' % number
        assert raw(api, "POST", "/v1/messages", text).status_code == 201

    def test_a_change_gives_a_handler_none_either(self, api: Api) -> None:
        long = b'{"message": [%s]}' % (b"9" * 5000)
        job = api.post("/v1/messages", {"message": 1, "delay": 60, "job": {"type": "held"}}).json["id"]
        echo = api.post("/v1/messages", {"message": 1, "delay": 60}).json["id"]
        refused = raw(api, "PATCH", f"/v1/messages/{job}", long)
        assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "message")
        assert "a handler in Python cannot take" in words_of(refused)
        assert api.store.get(job).payload == "1"
        text = b'{"message": "%s"}' % (b"9" * 5000)
        assert raw(api, "PATCH", f"/v1/messages/{job}", text).status_code == 200
        assert raw(api, "PATCH", f"/v1/messages/{echo}", long).status_code == 200, "no handler reads it"
        assert raw(api, "PATCH", "/v1/messages/none", long).status_code == 404

    def test_last_of_doubled_fields_wins(self, api: Api) -> None:
        answer = raw(api, "POST", "/v1/messages", b'{"message": 1, "message": 2}')
        assert answer.json["message"] == 2

    def test_many_long_unknown_fields_are_answered_in_bounds(self, clock: FakeClock) -> None:
        api = Api(clock)
        answer = api.post("/v1/messages", {f"{'x' * 300}{n}": n for n in range(2000)})
        assert answer.status_code == 400
        assert len(answer.json["errors"]) == 1000
        assert len(answer.data) < 300_000

    def test_too_many_faults_are_only_counted(self, clock: FakeClock) -> None:
        answer = Api(clock).post("/v1/messages", {str(n): 1 for n in range(9_000)})
        assert (answer.status_code, words_of(answer)) == (400, "9001 faults, too many to name")

    def test_errors_are_json_whatever_they_quote(self, api: Api) -> None:
        answer = api.post("/v1/messages", {"message": 1, 'a"\u0000\u2028</script>': 1, "time": "\u0000\r\n"})
        assert json.loads(answer.data) == answer.json
        assert answer.status_code == 400


class TestAway:
    @pytest.mark.parametrize(("method", "path"), [r for r in ROUTES_WITHOUT_BODY if r[1] != "/metrics"])
    def test_503(self, clock: FakeClock, method: str, path: str) -> None:
        answer = Api(clock, store=AwayStore()).send(method, path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert "Redis does not answer" in words_of(answer)

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [("POST", "/v1/messages", {"message": 1}), ("POST", "/v1/messages/batch", {"messages": [{"message": 1}]}),
         ("PATCH", "/v1/messages/x", {"message": 1}), ("POST", "/v1/dead-letters/redrive", {})],
    )  # fmt: skip
    def test_503_with_body(self, clock: FakeClock, method: str, path: str, body: Any) -> None:
        answer = Api(clock, store=AwayStore()).send(method, path, body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        words_of(answer)

    @pytest.mark.parametrize("path", ["/", "/metrics"])
    def test_the_front_door_and_figures_stay_open(self, clock: FakeClock, path: str) -> None:
        assert Api(clock, store=AwayStore()).get(path).status_code == 200


class TestDefects:
    @pytest.mark.parametrize("path", ["/v1/stats", "/metrics", "/health"])
    def test_the_log_has_the_traceback_and_the_client_has_not(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        def broken() -> None:
            raise ZeroDivisionError("secret internals")

        monkeypatch.setattr(api.store, "counts", broken)
        answer = api.get(path)
        assert answer.status_code == 500
        assert words_of(answer) == "Internal error; the log of this server says more."
        (line,) = api.log.errors
        assert "secret internals" in line
        assert "Traceback" in line
        assert f"GET {path} failed" in line


class TestEveryAnswer:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/"), ("GET", "/nope"), ("POST", "/v1/messages"), ("PUT", "/health"), ("GET", "/docs")],
    )
    def test_headers(self, api: Api, method: str, path: str) -> None:
        answer = api.send(method, path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"

    def test_is_counted_by_route_and_not_by_path(self, api: Api) -> None:
        for n in range(3):
            api.get(f"/v1/messages/absent-{n}")
        api.get("/nope")
        api.send("BREW", "/")
        counted = {tuple(dict(labels).values()): n for _, labels, n in api.telemetry.snapshot()["counters"]}
        assert counted == {
            ("/v1/messages/<id>", "GET", "404"): 3,
            ("none", "GET", "404"): 1,
            ("none", "other", "405"): 1,
        }
