"""Webhooks of the service as its users run it: over HTTP in and out, through stops and kills of real processes."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.support.endpoint import Endpoint
from tests.support.programs import need
from tests.support.service import ROOT, Answer, Service
from tests.support.waiting import free_port, wait_for

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "our-token-0123456789"
KEPT_SECRET = ("hunter2hunter2", "bearer-98765", "api-key-31415", "query-token-2718", "aHVudGVyMg")
"""What the messages of these tests carry and nobody may ever read."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One server, with everything that has to do with webhooks set; every test leaves it running."""
    env = {
        "WEBHOOK__ALLOW_PRIVATE_NETWORKS": "true",
        "API_AUTH": TOKEN,
        "RETRIES": "2",
        "RETRY_TIME": "0.05",
        "WEBHOOK__SECRETS": SECRET,
        "WEBHOOK__SENDAPITOKEN": "true",
        "RETRY__MAXATTEMPTS": "2",
        "RETRY__BASESECONDS": "0.05",
        "SCHEDULER__LOCKSECONDS": "1",
        "REDIS__SOCKETTIMEOUTSECONDS": "1",
        "SCHEDULER__REAPSECONDS": "0.1",
        "SCHEDULER__GRACESECONDS": "1.5",
    }
    with Service(tmp_path_factory.mktemp("service"), env=env) as service:
        yield service


def ask(service: Service, method: str, path: str, body: Any = None) -> Answer:
    return service.request(method, path, body, {"Authorization": TOKEN})


def create(service: Service, **fields: Any) -> str:
    answer = ask(service, "POST", "/v1/messages", {"message": "hello", **fields})
    assert answer.status == 201, answer
    return str(answer.json()["id"])


def ended(service: Service, id: str) -> Any:
    """The message, as the API shows it once it is delivered or dead."""

    def probe() -> Any:
        message = ask(service, "GET", f"/v1/messages/{id}").json()
        return message if message["status"] in ("delivered", "dead") else None

    return wait_for(f"{id} ended", probe)


def received(endpoint: Endpoint, id: str) -> list[Any]:
    return [request for request in endpoint.requests if request.headers.get("webhook-id") == id]


def create_all(service: Service, url: str, count: int) -> list[str]:
    messages = [{"message": n, "webhook": {"url": url}} for n in range(count)]
    answer = ask(service, "POST", "/v1/messages/batch", {"messages": messages})
    assert answer.status == 201, answer
    return [message["id"] for message in answer.json()["messages"]]


# -- a server that runs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_message_arrives_signed_and_as_it_was_asked_for(service: Service, endpoint: Endpoint, method: str) -> None:
    headers = {"Content-Type": "text/plain", "X-Shop": "berlin"}
    webhook = {"url": endpoint.url("/x?y=1"), "method": method, "headers": headers, "timeout": 5}
    message = ended(service, create(service, message="grüße, as text", webhook=webhook))
    assert message["status"] == "delivered"
    [attempt] = message["attempts"]
    assert (attempt["outcome"], attempt["status_code"], attempt["response"]) == ("delivered", 200, "ok")
    assert attempt["duration_ms"] > 0
    [request] = received(endpoint, message["id"])
    assert (request.method, request.path, request.headers["x-shop"]) == (method, "/x?y=1", "berlin")
    text = "" if method in ("GET", "DELETE") else "grüße, as text"
    assert request.body.decode() == text
    assert request.headers["content-type"] == "text/plain"
    assert request.headers["scheduler-due-at"] == message["due_at"]
    assert re.fullmatch(r"Message-Scheduling-Service/\d[\w.]*", request.headers["user-agent"])
    signed = {name: request.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")}
    # The library's verify() reads what it verified as JSON, which this text is not.
    official = Webhook(SECRET)
    assert official.sign(signed["id"], _seconds(signed["timestamp"]), text) == signed["signature"]


def _seconds(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)


def test_the_messages_own_timeout_and_the_evidence_of_every_attempt(service: Service, endpoint: Endpoint) -> None:
    webhook = {"url": endpoint.url("/hang"), "timeout": 0.2}
    message = ended(service, create(service, webhook=webhook))
    assert (message["status"], message["attempt"]) == ("dead", 2)
    for attempt in message["attempts"]:
        assert "timed out" in attempt["error"]
        assert attempt["duration_ms"] >= 150
        assert "status_code" not in attempt
    long = ended(service, create(service, webhook={"url": endpoint.url("/body/5000")}))
    assert long["attempts"][0]["response"] == "x" * 1024


def test_a_batch_and_a_change_on_the_way(service: Service, endpoint: Endpoint) -> None:
    first = {"message": {"n": 1}, "webhook": {"url": endpoint.url("/first")}}
    second = {"message": {"n": 2}, "webhook": {"url": endpoint.url("/wrong")}, "delay": 600}
    batch = ask(service, "POST", "/v1/messages/batch", {"messages": [first, second]}).json()["messages"]
    change = {"webhook": {"url": endpoint.url("/right"), "method": "PUT"}, "delay": 0}
    assert ask(service, "PATCH", f"/v1/messages/{batch[1]['id']}", change).status == 200
    for sent in batch:
        ended(service, sent["id"])
    got = [(r.method, r.path, r.json()) for sent in batch for r in received(endpoint, sent["id"])]
    assert got == [("POST", "/first", {"n": 1}), ("PUT", "/right", {"n": 2})]


def test_a_task_is_called_with_its_data_alone_our_token_and_the_retries_of_the_environment(
    service: Service, endpoint: Endpoint
) -> None:
    task = {"webhook": endpoint.url("/status/500"), "ttl": 1, "data": {"hello": ["world"]}}
    key = ask(service, "POST", "/schedule?type=mail", task).json()["data"]
    id = key.rpartition(":")[2]
    message = ended(service, id)
    assert (message["status"], message["attempt"], message["max_attempts"]) == ("dead", 3, 3)
    requests = received(endpoint, id)
    assert [(r.method, r.json(), r.headers["content-type"], r.headers["authorization"]) for r in requests] == [
        ("POST", {"hello": ["world"]}, "application/json", TOKEN)
    ] * 3
    assert ask(service, "GET", f"/schedule/{key}").json() == {"status": 404, "error": "Schedule not found."}


def test_no_secret_is_in_any_answer_or_any_line_of_any_log(service: Service, endpoint: Endpoint) -> None:
    base = endpoint.url("").replace("http://", "http://user:hunter2hunter2@")
    headers = {"X-Api-Key": "api-key-31415"}
    authorized = {**headers, "Authorization": "Bearer bearer-98765"}
    webhooks = [
        {"url": f"{base}/status/500?token=query-token-2718", "headers": headers},
        {"url": f"{base}/status/302?Location=http://example.com/", "headers": authorized},
        {"url": f"{base}/reset", "headers": authorized},
        {"url": f"{base}/garbage", "headers": authorized},
        {"url": f"http://user:hunter2hunter2@127.0.0.1:{free_port()}/?token=query-token-2718", "headers": authorized},
        {"url": "http://user:hunter2hunter2@169.254.169.254/?token=query-token-2718", "headers": authorized},
        {"url": "http://user:hunter2hunter2@nobody.invalid/", "headers": authorized},
        {"url": f"http://user:hunter2hunter2@{'x' * 300}/", "headers": authorized},
        {"url": endpoint.url("/"), "headers": {"Authorization": "Bearer bearer-98765\n"}},
    ]
    said: list[str] = []
    for webhook in webhooks:
        answer = ask(service, "POST", "/v1/messages", {"message": 1, "webhook": webhook})
        said.append(answer.text)
        if answer.status == 201:
            said.append(json.dumps(ended(service, answer.json()["id"])))
    said += [ask(service, "GET", path).text for path in ("/v1/messages", "/v1/messages?status=dead", "/v1/stats")]
    said += [answer.text for path in ("/schedules", "/metrics") for answer in [ask(service, "GET", path)]]
    said += [*service.stderr.texts(), *service.stdout.texts()]
    files = list(service.logs.iterdir())
    assert {"scheduler.log", "scheduler.error.log"} <= {file.name for file in files}
    said += [file.read_text() for file in files]
    assert any("HTTP 500" in text for text in said), "the attempts are not in there"
    for secret in (*KEPT_SECRET, SECRET, TOKEN):
        assert not [text for text in said if secret in text], secret


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_examples_of_the_page_work_as_they_stand(service: Service) -> None:
    """Each block is run as a reader would; only the ports are others, and this server wants a token."""
    need("curl")
    port = free_port()
    receiver, start, native, task = _examples(port)
    assert start == "WEBHOOK__ALLOW_PRIVATE_NETWORKS=true make run\n"
    command = receiver.replace("python3", f"exec {sys.executable}", 1)
    with subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            wait_for("it listens", lambda: _listens(port))
            for example, order in ((native, 4711), (task, 4712)):
                command = example.replace(":3000", f":{service.port}").replace(
                    "curl", f"curl -H 'Authorization: {TOKEN}'"
                )
                answer = subprocess.run(command, shell=True, capture_output=True, check=True, timeout=20)
                assert json.loads(answer.stdout).get("status") in ("scheduled", 200)
                shown = next(line for line in process.stdout if "order" in line)
                assert json.loads(shown) == {"order": order}
        finally:
            process.terminate()


def _examples(port: int) -> list[str]:
    page = (ROOT / "docs" / "webhooks.md").read_text("utf-8").replace("8000", str(port))
    part = page.partition("\n## Try it\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_example_of_the_readme_is_the_one_of_the_page() -> None:
    native = _examples(8000)[2]
    assert native in (ROOT / "README.md").read_text("utf-8")


# -- stops and kills ---------------------------------------------------------------------------------------------------


def test_a_kill_repeats_at_most_what_was_in_flight_under_the_same_ids(service: Service) -> None:
    with Endpoint() as endpoint:
        for id in create_all(service, endpoint.url("/"), 20):
            ended(service, id)
        held = create_all(service, endpoint.url("/hold"), 10)
        endpoint.wait_for(30)
        service.kill()
        service.start()
        repeats = endpoint.wait_for(40)[30:]
        endpoint.let_go()
        for id in held:
            message = ended(service, id)
            assert (message["status"], message["attempt"]) == ("delivered", 2)
        assert len(endpoint.requests) == 40, "what had been noted was repeated"
    assert sorted(request.headers["webhook-id"] for request in repeats) == sorted(held)
    assert {request.headers["scheduler-attempt"] for request in repeats} == {"2"}


def test_a_stop_finishes_what_it_can_within_the_grace_and_the_next_run_does_the_rest(service: Service) -> None:
    with Endpoint() as endpoint:
        finishing = create_all(service, endpoint.url("/slow/500"), 5)
        hanging = create_all(service, endpoint.url("/hold"), 5)
        endpoint.wait_for(10)
        assert service.stop(signal.SIGTERM) == 0
        service.start()
        endpoint.wait_for(15)
        endpoint.let_go()
        for ids, attempt in ((finishing, 1), (hanging, 2)):
            for id in ids:
                message = ended(service, id)
                assert (message["status"], message["attempt"]) == ("delivered", attempt)
        repeated = [request.headers["webhook-id"] for request in endpoint.requests[10:]]
    assert sorted(repeated) == sorted(hanging)
