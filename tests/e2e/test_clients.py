"""The clients against the real service: a message there and back, and the code of their pages."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from message_scheduler_client import AsyncClient, Client, verify

from tests.support.endpoint import Endpoint
from tests.support.service import ROOT, Service
from tests.support.waiting import wait_for

README = ROOT / "clients" / "python" / "README.md"
PAGE = ROOT / "docs" / "client_python.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def blocks(page: Path) -> list[str]:
    """The Python of a page."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    env = {
        "WEBHOOK__ALLOWPRIVATENETWORKS": "true",
        "WEBHOOK__SECRETS": SECRET,
        "HISTORY__URL": f"sqlite:///{folder}/history.db",
    }
    with Service(folder, env=env) as service:
        yield service


@pytest.fixture
def url(service: Service, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"http://127.0.0.1:{service.port}"
    monkeypatch.setenv("MESSAGE_SCHEDULER_URL", url)
    return url


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        yield endpoint


def test_what_is_sent_arrives_and_verifies(url: str, endpoint: Endpoint) -> None:
    with Client(url) as client:
        sent = client.send({"order": 4711}, webhook={"url": endpoint.url("/hook")})
        (request,) = endpoint.wait_for(1)
        delivery = verify(request.headers, request.body, SECRET)
    assert delivery.id == sent["id"]
    assert delivery.json() == {"order": 4711}
    assert delivery.attempt == 1


def test_the_asynchronous_client(url: str) -> None:
    async def scenario() -> None:
        async with AsyncClient() as client:
            ids = [(await client.send(number, delay=3600, priority="low"))["id"] for number in range(5)]
            assert [m["id"] async for m in client.messages(priority="low", limit=2)] == ids
            await asyncio.gather(*(client.cancel(id) for id in ids))
            assert [m["id"] async for m in client.messages(status="scheduled", priority="low")] == []

    asyncio.run(scenario())


def test_the_history(url: str) -> None:
    with Client() as client:
        sent = client.send("for the history", id="kept")
        wait_for("the message is in the history", lambda: [m["id"] for m in client.history(text="for the history")])
        assert client.get_history("kept")["status"] == "delivered"
        assert client.history_summary(by="hour")["slots"]
        again = client.redrive_history(sent["id"])
        assert (again["message"], again["redriven_from"]) == ("for the history", "kept")


def test_many_threads_share_one_client(url: str) -> None:
    with Client() as client:
        threads = [threading.Thread(target=client.send, args=(n,), kwargs={"delay": 9e6}) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = [message["message"] for message in client.messages(status="scheduled")]
    assert sorted(found) == [*range(8)]


class TestPages:
    def test_the_readme_runs(self, url: str, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]) -> None:
        names: dict[str, Any] = {"__name__": "__main__"}
        for block in blocks(README):
            run(block.replace("http://127.0.0.1:3000", url), README, names)
        printed = capsys.readouterr().out
        assert "is due at" in printed
        assert "{'order': 4711}" in printed
        assert re.search(r"^delay .+", printed, re.MULTILINE)

        with Client(url) as client:
            client.send(1, webhook={"url": endpoint.url()})
        (request,) = endpoint.wait_for(1)
        assert names["receive"](request.headers, request.body) == 204
        assert names["receive"]({**request.headers, "webhook-id": "another"}, request.body) == 401

    def test_the_page_runs(self, url: str, endpoint: Endpoint) -> None:
        names: dict[str, Any] = {"__name__": "__main__"}
        for block in blocks(PAGE):
            run(block.replace('"https://scheduler.example.com", token="…"', ""), PAGE, names)
        asyncio.run(names["main"]())

        with Client(url) as client:
            client.send(1, webhook={"url": endpoint.url()})
        (request,) = endpoint.wait_for(1)
        hook = names["app"].test_client()
        assert hook.post("/hook", data=request.body, headers=request.headers).status_code == 204
        assert hook.post("/hook", data=b"else", headers=request.headers).status_code == 401

    def test_the_page_names_every_method_and_exception(self) -> None:
        text = PAGE.read_text()
        rows = "\n".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))
        named = set(re.findall(r"`(\w+)", rows))
        own = {"call", "close"}
        assert named >= {name for name in vars(Client) if not name.startswith("_")} - own


def run(source: str, page: Path, names: dict[str, Any]) -> None:
    exec(compile(source, page.name, "exec"), names)
