"""The whole service under hostile input over real sockets: documented answers, clean logs, and it goes on.

Fuzzed further: every route by its document (``tests/integration/test_api_schemathesis.py``), the parsers alone
(``make fuzz``).
"""

from __future__ import annotations

import json
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tests.support.endpoint import Endpoint
from tests.support.service import ROOT, Answer, Service
from tests.support.waiting import wait_for

FORGED = "2031-01-01T00:00:00.000+00:00 ERROR   forged"
HOSTILE_TEXT = f"\r\n{FORGED}\x1b[2J\x00\x07\u202e\u2028{FORGED}"
IN_A_PATH = "%0d%0aX-Injected:%20yes%0d%0a" + FORGED.replace(" ", "%20") + "%00%1b%5b2J%E2%80%A8%FF"
MIB = 1024 * 1024
LARGEST_MIB = 500
"""Of one process.  Bodies of 1 MiB that hold nothing but unknown names are the worst: 25 MiB each, for a moment."""
ROUTES = ("/v1/messages", "/v1/messages/batch", "/echoAtTime", "/schedule", "/api/jobs")
REFUSED = {400, 404, 405, 409, 413, 415, 422}
"""What docs/api.md lists for input that is not as described."""
NOT_HTTP = {400, 431}
"""The server's own, with an empty body: what is no request has no area of the API."""


NAMES = {"allowed": "127.0.0.1", "inside": "127.0.0.1", "six": "::1", "metadata": "169.254.169.254"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    environment = {
        "LOGS__LEVEL": "INFO",
        "RETRY__MAXATTEMPTS": "1",
        "WEBHOOK__ALLOWEDNETWORKS": "allowed.example",
        "API__RATELIMIT": "",
        "TEST_NAMES": " ".join(f"{name}.example={address}" for name, address in NAMES.items()),
        "PYTHONPATH": str(ROOT / "tests/support/names"),
    }
    with (
        tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder,
        Service(Path(folder), env=environment) as service,
    ):
        yield service


@pytest.fixture(autouse=True)
def _goes_on(service: Service) -> Iterator[None]:
    """After each test: healthy, delivering, of the usual size, and nothing forged or broken in what it wrote."""
    yield
    assert service.get("/health").status == 200
    text = f"still here {time.monotonic_ns()}"
    assert service.post("/v1/messages", {"message": text}).status == 201
    service.stdout.wait_for(text)
    sizes = [process.memory_info().rss // MIB for process in (psutil.Process(service.pid), *service.children())]
    assert max(sizes) < LARGEST_MIB, sizes
    written = {file.name: file.read_text() for file in service.logs.iterdir()}
    lines = [line for text in written.values() for line in text.split("\n")]
    lines += service.stdout.texts() + service.stderr.texts()
    assert len(lines) > 10
    assert not [line for line in lines if line.startswith(FORGED[:20]) or "Traceback" in line]
    assert not [line for line in lines if re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", line)]
    assert "api.error.log" not in written


class Case(NamedTuple):
    """Bytes to be sent, and which answers are right."""

    name: str
    data: bytes
    expected: set[int]


def request(method: str, path: str, body: bytes = b"", *headers: str, declared: str | None = None) -> bytes:
    """``declared``: the Content-Length when it shall lie; empty for none."""
    length = [f"Content-Length: {declared or len(body)}"] if declared != "" else []
    kind = (
        []
        if any(header.lower().startswith("content-type") for header in headers)
        else ["Content-Type: application/json"]
    )
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *length, *kind, *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def exchange(service: Service, data: bytes) -> Answer:
    """What comes back on a connection of its own.  Status 0: it was closed without an answer."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        sender = threading.Thread(target=_send, args=(connection, data))
        sender.start()
        answer = HTTPResponse(connection)
        try:
            answer.begin()
            text = answer.read().decode()
        except OSError:
            return Answer(0, "", {})
        finally:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            sender.join(20)
        return Answer(answer.status, text, {name.lower(): value for name, value in answer.getheaders()})


def _send(connection: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # refused before all of it was read
        connection.sendall(data)


def check(service: Service, cases: list[Case]) -> None:
    """Each is answered as expected, in the shape of its area, without a word too many."""
    wrong = []
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda case: exchange(service, case.data), cases))
    for case, answer in zip(cases, answers, strict=True):
        path = case.data.split(b" ", 2)[1]
        if answer.status not in case.expected or not _is_documented(path, answer):
            wrong.append((case.name, answer.status, answer.text[:300]))
    assert not wrong


def _is_documented(path: bytes, answer: Answer) -> bool:
    assert "x-injected" not in answer.headers
    if answer.status in {0, *NOT_HTTP} and not answer.text:
        return True
    if "Traceback" in answer.text or "<html" in answer.text.lower() or 'File "' in answer.text:
        return False
    body = json.loads(answer.text)
    if answer.status < 400:
        return True
    if path.startswith(b"/v1"):
        return answer.headers["content-type"] == "application/problem+json" and body["status"] == answer.status
    return bool(body.keys() & {"message", "detail", "error"})


# --------------------------------------------------------------------------------------------------------------- bodies

JSON_TEXTS = {
    "100,000 lists": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"message":' * 80_000 + b"1" + b"}" * 80_000,
    "100,000 lists in a message": b'{"message": %s}' % (b"[" * 100_000 + b"]" * 100_000),
    "lists around a long number": b'{"message": %s12345678901234567890%s}' % (b"[" * 100_000, b"]" * 100_000),
    "1e400": b'{"message": 1e400}',
    "1e400 and a long number": b'{"message": 1e400, "x": 12345678901234567890}',
    "10,000 digits as a moment": b'{"message": 1, "time": %s}' % (b"9" * 10_000),
    "10,000 decimals as text": b'{"message": 1, "delay": "0.%s1", "time": "1.%s"}' % (b"0" * 10_000, b"0" * 10_000),
    "NaN": b'{"message": NaN}',
    "-Infinity": b'{"message": -Infinity, "x": 12345678901234567890}',
    "a lone surrogate": b'{"message": "\\ud800"}',
    "a lone surrogate in a name": b'{"\\udfff": 1, "message": 1}',
    "a NUL": b'{"message": "a\x00b"}',
    "a line end": b'{"message": "a\nb"}',
    "no UTF-8": b'{"message": "\xff\xfe"}',
    "overlong UTF-8": b'{"message": "\xc0\xaf"}',
    "UTF-16": '{"message": 1}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"message": 1}',
    "nothing but NULs": bytes(1000),
    "100,000 unknown names": b"{%s}" % b",".join(b'"%d":1' % n for n in range(90_000)),
    "a name of 900,000 characters": b'{"%s": 1}' % (b"x" * 900_000),
    "compressed": b"\x1f\x8b\x08\x00" + bytes(100),
}


def test_no_body_is_too_hostile(service: Service) -> None:
    cases = [
        Case(f"{name}: {path}", request("POST", path, text), {400, 422})
        for name, text in JSON_TEXTS.items()
        for path in ROUTES
    ]
    check(service, cases)


def test_doubled_names_long_numbers_and_escaped_controls_are_taken_as_what_they_are(service: Service) -> None:
    text = json.dumps(HOSTILE_TEXT).encode()
    cases = [
        Case("doubled", request("POST", "/v1/messages", b'{"message": 1, "message": 2, "delay": 9}'), {201}),
        Case("4,000 digits", request("POST", "/v1/messages", b'{"delay": 9, "message": %s}' % (b"9" * 4000)), {201}),
        Case("controls, printed and logged", request("POST", "/v1/messages", b'{"message": %s}' % text), {201}),
        Case(
            "controls by the old route",
            request("POST", "/echoAtTime", b'{"time": 1000000000, "message": %s}' % text),
            {200},
        ),
    ]
    check(service, cases)
    service.stdout.wait_for("forged")


def test_large_and_lying_bodies(service: Service) -> None:
    large = b'{"message": "%s"}' % (b"x" * 10 * MIB)
    chunks = b"".join(b"10000\r\n%s\r\n" % large[at : at + 65_536] for at in range(0, 10 * MIB, 65_536)) + b"0\r\n\r\n"
    chunked = "Transfer-Encoding: chunked"
    post = ("POST", "/v1/messages")
    cases = [
        Case("10 MB", request(*post, large), {413}),
        Case("10 MB in chunks", request(*post, chunks, chunked, declared=""), {413}),
        Case("a length of a terabyte", request(*post, b"{}", declared="1000000000000"), {413}),
        Case("a length beyond 64 bits", request(*post, b"{}", declared="9" * 30), NOT_HTTP),
        Case("a negative length", request(*post, b"{}", declared="-1"), NOT_HTTP),
        Case("no number", request(*post, b"{}", declared="ten"), NOT_HTTP),
        Case("two lengths", request(*post, b"{}", "Content-Length: 3"), NOT_HTTP),
        Case("shorter than it says", request(*post, b'{"message": 1}', declared="5"), {400}),
        Case("a chunk that is none", request(*post, b"zz\r\n{}\r\n0\r\n\r\n", chunked, declared=""), {0, 400}),
        Case("a length and chunks", request(*post, b"2\r\n{}\r\n0\r\n\r\n", chunked), {400}),
        Case("chunks in chunks", request(*post, b"{}", "Transfer-Encoding: chunked, chunked"), {0, 400}),
    ]
    check(service, [case._replace(expected=case.expected | {0}) if b"x" * MIB in case.data else case for case in cases])


@pytest.mark.parametrize("path", ROUTES)
def test_wrong_content_types(service: Service, path: str) -> None:
    types = ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/json",
             "application/json; charset=utf-16", "application/json; charset=\xff", "application/" + "x" * 5000,
             ""]  # fmt: skip
    check(
        service, [Case(kind, request("POST", path, b"{}", f"Content-Type: {kind}"), {415, 400, 422}) for kind in types]
    )


# ------------------------------------------------------------------------------------------------ everything but bodies


def test_hostile_paths_methods_and_headers(service: Service) -> None:
    hostile = HOSTILE_TEXT.replace("\r\n", "").encode().decode("latin-1")
    hostile = re.sub("[\x00-\x1f]", "", hostile)
    paths = ["/" + IN_A_PATH, f"/v1/messages/{IN_A_PATH}", f"/schedule/{IN_A_PATH}", f"/api/jobs/{IN_A_PATH}",
             f"/v1/messages?cursor={IN_A_PATH}", f"/schedules?type={IN_A_PATH}&limit=x", f"/v1/{'a' * 60_000}",
             "/v1/messages/../../etc/passwd", "/docs/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2fapp.py",
             f"/v1/messages?{'&'.join(f'a{n}=1' for n in range(5000))}"]  # fmt: skip
    cases = [Case(path[:60], request("GET", path), {400, 404}) for path in paths]
    methods = ["BREW", "TRACE", "PROPFIND", "X" * 1000]
    cases += [Case(method[:20], request(method, "/v1/messages"), {405}) for method in methods]
    get = ("GET", "/v1/messages", b"")
    cases += [
        Case("a line too many", request(*get).replace(b"Host: localhost", b"Host: x\nX: y\rz"), NOT_HTTP),
        Case("a NUL in a header", request(*get, "User-Agent: a\x00b"), NOT_HTTP),
        Case("a header folded", request(*get, "X-A: b\r\n c"), NOT_HTTP),
        Case("not HTTP", b"\x16\x03\x01 /v1 \r\n\r\n", NOT_HTTP),
        Case("a megabyte of header", request(*get, f"X-Big: {'x' * MIB}"), NOT_HTTP | {0}),
        Case("5,000 headers", request(*get, *[f"X-{n}: y" for n in range(5000)]), NOT_HTTP | {0}),
        Case("no text", request(*get, f"User-Agent: {hostile}", f"X-Request-Id: {hostile}", "Cookie: \xff"), {200}),
        Case("from nowhere", request(*get, "X-Forwarded-For: \x80, ::::, 999.9.9.9", "Forwarded: for=\x80"), {200}),
        Case("no token", request(*get, f"Authorization: Bearer {hostile}"), {200}),
        Case("no key", request("POST", "/v1/messages", b'{"message": 1}', f"Idempotency-Key: {hostile}"), {400}),
    ]
    check(service, cases)


def test_controls_in_ids_types_owners_and_webhooks_are_refused_or_harmless(
    service: Service, endpoint: Endpoint
) -> None:
    url = f"http://allowed.example:{endpoint.port}"
    injected = {"X-A": "b\r\nX-Injected: yes"}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/v1/messages", {"message": 1, "id": HOSTILE_TEXT}),
        ("/v1/messages", {"message": 1, "channel": HOSTILE_TEXT}),
        ("/v1/messages", {"message": 1, "job": {"type": HOSTILE_TEXT}}),
        ("/v1/messages", {"message": 1, "timezone": HOSTILE_TEXT, "time": HOSTILE_TEXT}),
        ("/v1/messages", {"message": 1, "priority": HOSTILE_TEXT}),
        ("/v1/messages", {"message": 1, HOSTILE_TEXT: 1}),
        ("/v1/messages", {"message": 1, "webhook": {"url": f"{url}/{HOSTILE_TEXT}"}}),
        ("/v1/messages", {"message": 1, "webhook": {"url": url, "headers": injected}}),
        ("/v1/messages", {"message": 1, "webhook": {"url": url, "headers": {"X-A\r\nX-Injected": "yes"}}}),
        ("/v1/messages", {"message": 1, "webhook": {"url": url, "method": HOSTILE_TEXT}}),
        ("/schedule", {"webhook": f"{url}/{HOSTILE_TEXT}", "ttl": 1, "data": 1}),
        ("/api/jobs", {"type": HOSTILE_TEXT, "payload": {}, "user_id": "me"}),
        ("/api/jobs", {"type": "wait", "payload": {"seconds": HOSTILE_TEXT}, "user_id": HOSTILE_TEXT}),
    ]
    cases = [Case(str(body)[:80], request("POST", path, json.dumps(body).encode()), REFUSED) for path, body in bodies]
    cases[-1] = cases[-1]._replace(expected={201, 422})
    cases.append(Case("a type", request("POST", f"/schedule?type={IN_A_PATH}", b"{}"), {400}))
    check(service, cases)
    assert not endpoint.requests
    # What an endpoint answers is written down too.
    told = service.post("/v1/messages", {"message": HOSTILE_TEXT, "webhook": {"url": f"{url}/garbage"}}).json()["id"]
    text = "%0d%0a" + FORGED.replace(" ", "%20") + "%1b[2J"
    heard = service.post("/v1/messages", {"message": 1, "webhook": {"url": f"{url}/text/{text}"}}).json()["id"]
    wait_for("both ended", lambda: ended(service, told) and ended(service, heard))


def ended(service: Service, id: str) -> Any:
    """The message once it is delivered or dead, else None."""
    message = service.get(f"/v1/messages/{id}").json()
    return message if message["status"] in ("delivered", "dead") else None


# ------------------------------------------------------------------------------------------------------- slow clients

HALF_A_BODY = request("POST", "/v1/messages", b'{"message":', declared="1000")


@pytest.mark.parametrize("trickles", [True, False])
def test_a_hundred_slow_clients_do_not_stop_the_others(service: Service, trickles: bool) -> None:
    """Ten with half a header, the others with half a body: more than threads, and they come again when they are cut."""
    api = next(process for process in service.children() if "multiprocessing.spawn" in " ".join(process.cmdline()))
    descriptors = api.num_fds()
    over = threading.Event()
    with ExitStack() as opened:
        starts = [HALF_A_BODY] * 90 + [b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] * 10
        threads = [threading.Thread(target=_be_slow, args=(service.port, start, trickles, over)) for start in starts]
        for thread in threads:
            thread.start()
            opened.callback(thread.join)
        opened.callback(over.set)
        took = []
        for n in range(2):
            begun = time.monotonic()
            assert service.post("/v1/messages", {"message": n}).status == 201
            took.append(time.monotonic() - begun)
        assert max(took) < 15, took
    wait_for("their descriptors are given back", lambda: api.num_fds() < descriptors + 20)


def _be_slow(port: int, start: bytes, trickles: bool, over: threading.Event) -> None:
    while not over.is_set():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
            connection.sendall(start)
            while not over.wait(0.2):
                if trickles:
                    connection.sendall(b" ")
                with suppress(TimeoutError):
                    if not connection.recv(1000):
                        break


# --------------------------------------------------------------------------------------------------------------- SSRF

INSIDE = [
    "127.0.0.1", "2130706433", "0177.0.0.1", "017700000001", "0x7f.1", "0x7f000001", "127.1", "127.0.1", "0", "0.0.0.0",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[fe80::1%25lo]", "[fe80::1%lo]", "[::1%25lo]", "localhost", "LOCALHOST.", "x.localhost",
    "①②⑦.0.0.1", "127。0。0。1", "user:pass@127.0.0.1", "allowed.example@127.0.0.1", "allowed.example:80@127.0.0.1",
    "127.0.0.1%00.allowed.example", "allowed.example\\@127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254",
    "metadata.google.internal", "[fd00:ec2::254]",
]  # fmt: skip
"""Hosts that mean this machine, its network or a metadata service to some parser."""


def test_nothing_inside_can_be_called(service: Service) -> None:
    with Endpoint() as inside:
        for host in INSIDE:
            url = f"http://{host}:{inside.port}/"
            for path, body in (
                ("/v1/messages", {"message": 1, "webhook": {"url": url}}),
                ("/schedule", {"webhook": url, "ttl": 1, "data": 1}),
            ):
                answer = service.post(path, body)
                assert (answer.status, host in url) == (400, True), (url, answer)
        # Names are only known when they are called: the address of the connection decides.
        for name in ("inside.example", "six.example", "metadata.example", "INSIDE.example."):
            url = f"http://{name}:{inside.port}/"
            id = service.post("/v1/messages", {"message": 1, "webhook": {"url": url}}).json()["id"]
            message = wait_for(f"{name} is refused", partial(ended, service, id))
            assert message["status"] == "dead"
            assert re.search(r"is a (loopback|link-local or metadata) address", message["last_error"])
        assert inside.connections == 0


def test_a_redirect_to_the_inside_is_not_followed(service: Service, endpoint: Endpoint) -> None:
    with Endpoint() as inside:
        url = f"http://allowed.example:{endpoint.port}/status/302?Location=http://127.0.0.1:{inside.port}/"
        id = service.post("/v1/messages", {"message": 1, "webhook": {"url": url}}).json()["id"]
        message = wait_for("it is given up", lambda: ended(service, id))
        assert (message["status"], message["attempts"][-1]["status_code"]) == ("dead", 302)
        assert inside.connections == 0


@pytest.mark.parametrize("port", [0, 65_536, -1, "80a", "80:80"])
def test_ports_that_are_none(service: Service, port: object) -> None:
    answer = service.post("/v1/messages", {"message": 1, "webhook": {"url": f"http://allowed.example:{port}/"}})
    assert answer.status == 400
    assert "port" in answer.text
