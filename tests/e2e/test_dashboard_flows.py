"""The dashboard's page of flow control in a real browser, on the real service."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.endpoint import Endpoint
from tests.support.service import Service
from tests.support.waiting import wait_for

KEY = "tenant-42"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    env = {"WEBHOOK__ALLOWPRIVATENETWORKS": "true"}
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder, Service(Path(folder), env=env) as running:
        yield running


@pytest.fixture(scope="module")
def browser(service: Service, one_browser: Browser) -> Iterator[Browser]:
    with one_browser.at(f"http://127.0.0.1:{service.port}") as browser:
        yield browser
        assert browser.complaints() == []


def test_a_flow_key_is_paused_while_messages_wait_and_resumed(browser: Browser, service: Service) -> None:
    service.post(f"/v1/flows/{KEY}/pause")
    browser.open("#/schedule")
    browser.fill("Message", "one of many")
    browser.choose("when", "now")
    browser.click("Flow control", "form")
    browser.fill("Flow key", KEY)
    browser.fill("At once", "2")
    browser.click("Schedule", "form")
    browser.wait_for_text(KEY, ".facts")
    assert "delivered" not in browser.text(".page-head")

    browser.open("#/flows")
    browser.wait_for_text("2 at once came with a message", ".flows")
    browser.wait_for_text("paused", ".flows")
    browser.click(f"Resume {KEY}")
    browser.wait_for_text("The key goes on.", ".notices")
    wait_for("delivered", lambda: service.get("/v1/messages?status=delivered").json()["messages"])
    # It says how much of its lateness was the key's.
    (message,) = service.get("/v1/messages?status=delivered").json()["messages"]
    browser.open(f"#/messages/{message['id']}")
    browser.wait_for_text("of its lateness", ".facts")


def test_a_pinned_key_is_found_paused_with_one_question_and_its_window_reset(
    browser: Browser, service: Service
) -> None:
    service.request("PUT", "/v1/flows/api.example.com", {"rate": 3, "period": "1h"})
    service.schedule([{"message": n, "flow": {"key": "api.example.com"}} for n in range(5)])
    browser.open("#/flows")
    browser.find("#find-flow").send_keys("api.example.com\n")
    browser.wait_for_text("3 per 1 h pinned", ".flows")
    browser.wait_for_text("3 of 3", ".flows")
    browser.click("Reset the window of api.example.com")
    browser.wait_for_text("2 of 3", ".flows")
    browser.click("Pause api.example.com")
    browser.click("Leave it", "dialog")
    assert service.get("/v1/flows/api.example.com").json()["paused"] is False
    browser.click("Pause api.example.com")
    browser.click("Pause the key", "dialog")
    browser.wait_for_text("paused", ".flows td:nth-child(6)")
    browser.open("#/flows/nobody")
    browser.wait_for_text("No message has this flow key now")


def test_a_destination_is_left_alone_by_hand_and_used_again(browser: Browser, service: Service) -> None:
    with Endpoint() as endpoint:
        url = endpoint.url("/hook")
        browser.open("#/flows")
        browser.fill("Destination", url)
        browser.click("Leave alone …")
        browser.fill("Note (optional)", "moves to another rack")
        browser.click("Open the breaker", "dialog")
        browser.wait_for_text("open by hand", ".destinations")
        (id,) = service.schedule([{"message": 1, "webhook": {"url": url}}])
        browser.open()
        browser.wait_for_text("moves to another rack", ".destinations")
        assert service.get(f"/v1/messages/{id}").json()["attempt"] == 0
        browser.find(".destinations button").click()
        wait_for("no row any more", lambda: browser.text(".destinations") == "")
        (destination,) = service.get("/v1/destinations").json()["destinations"]
        assert (destination["state"], destination["by_hand"]) == ("closed", False)
