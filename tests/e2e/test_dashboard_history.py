"""The dashboard on a service with a history, in a real browser: lists that go on into it, and the page over time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.service import Service
from tests.support.waiting import wait_for

KEPT = 20
"""Finished messages that Redis keeps."""
SENT = 70


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as name:
        folder = Path(name)
        env = {"HISTORY__URL": f"sqlite:///{folder}/history.db", "RETENTION__MAXCOUNT": str(KEPT)}
        with Service(folder, env=env) as running:
            running.schedule([{"message": f"number {n}"} for n in range(SENT)])
            wait_for("all of them in the history", lambda: in_history(running) == SENT)
            wait_for("only the newest in Redis", lambda: in_redis(running) <= KEPT)
            yield running


def in_history(service: Service) -> int:
    return len(service.get("/v1/history?limit=1000").json()["messages"])


def in_redis(service: Service) -> int:
    return len(service.get("/v1/messages?status=delivered&limit=500").json()["messages"])


@pytest.fixture(scope="module")
def browser(service: Service, one_browser: Browser) -> Iterator[Browser]:
    with one_browser.at(f"http://127.0.0.1:{service.port}") as browser:
        yield browser
        assert browser.complaints() == []


def rows(browser: Browser) -> list[str]:
    texts: list[str] = browser.script("return [...document.querySelectorAll('.excerpt')].map((e) => e.innerText)")
    return texts


@pytest.mark.parametrize("status", ["delivered", ""])
def test_a_list_goes_on_into_the_history_without_a_seam(browser: Browser, status: str) -> None:
    browser.open(f"#/messages?status={status}")
    wait_for("a full page", lambda: len(rows(browser)) == 50)
    first = rows(browser)
    browser.click("Next")
    browser.wait_for_text("Page 2", ".pager")
    wait_for("the rest", lambda: len(rows(browser)) == SENT - 50)
    assert sorted(first + rows(browser)) == sorted(f"number {n}" for n in range(SENT))
    # A message that Redis has no more is read like any other.
    browser.find(".messages tbody tr:last-child a").click()
    browser.wait_for_text("delivered", ".page-head")
    browser.wait_for_text("number", ".code")


def test_the_page_over_time_counts_what_finished(browser: Browser) -> None:
    browser.open("#/over-time")
    browser.wait_for_text(str(SENT), ".servers tbody")
    assert browser.text(".servers tbody tr").split() == ["echo", str(SENT), "0", "0", "0", "%"]
    browser.click("30 days")
    browser.wait_for_text("Finished per day", ".charts")
    browser.wait_for_text(f"delivered {SENT}", ".charts")
