"""The dashboard's pages of schedules in a real browser, on the real service."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.endpoint import Endpoint
from tests.support.service import Service
from tests.support.waiting import wait_for

ROWS = "return document.querySelectorAll('.messages tbody tr').length"
RUNS = "return document.querySelectorAll('.last-runs li').length"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    env = {"WEBHOOK__ALLOWPRIVATENETWORKS": "true"}
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder, Service(Path(folder), env=env) as running:
        yield running


@pytest.fixture(scope="module")
def chromium(service: Service, one_browser: Browser) -> Iterator[Browser]:
    with one_browser.at(f"http://127.0.0.1:{service.port}") as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The module's browser; a test fails when the console complains, of a refused policy above all."""
    chromium.look()
    chromium.complaints()
    yield chromium
    assert chromium.complaints() == []


def test_a_schedule_is_made_by_the_form_runs_and_is_paused_and_deleted(browser: Browser, service: Service) -> None:
    browser.open("#/new-schedule")
    browser.choose("rule", "every")
    browser.fill("Every", "1s")
    browser.fill("Message", "tick")
    browser.fill("Own id", "ticker")
    wait_for("five runs", lambda: browser.script("return document.querySelectorAll('.runs-preview li').length") == 5)
    browser.click("Make the schedule", "form")
    # Nothing is clicked: the page learns it by itself.
    browser.wait_for_text("delivered", ".last-runs")
    assert browser.hash() == "#/schedules/ticker"
    browser.click("Pause")
    browser.fill("Note (optional)", "the clock is mended")
    browser.click("Pause", "dialog")
    browser.wait_for_text("paused", ".page-head")
    assert service.get("/v1/schedules/ticker").json()["status"] == "paused"
    browser.open("#/schedules?status=paused")
    browser.wait_for_text("the clock is mended", ".schedules")
    browser.find(".schedules .what a").click()
    browser.click("Resume")
    browser.wait_for_text("active", ".page-head")
    browser.click("Delete")
    browser.click("Delete the schedule", "dialog")
    browser.wait_for_text("There are no schedules yet.")
    assert service.get("/v1/schedules/ticker").status == 404


def test_the_form_shows_the_next_runs_while_one_types_and_what_is_wrong(browser: Browser) -> None:
    browser.open("#/new-schedule")
    browser.fill("Cron expression", "30 2 * * *")
    browser.fill("Time zone", "Europe/Berlin")
    browser.click("Start, end and jitter")
    browser.fill("Not before", "2027-03-27T12:00:00Z")
    # Clocks go forward that night: 02:30 does not exist, and the run comes at 03:00.
    browser.wait_for_text("28 Mar 2027, 03:00:00 +02:00", ".runs-preview")
    browser.fill("Cron expression", "61 * * * *")
    browser.wait_for_text("61", ".runs-preview .problem")
    browser.click("Make the schedule", "form")
    browser.wait_for_text("cron", ".problem-box")
    assert browser.hash() == "#/new-schedule"


def test_a_schedule_is_edited_run_by_hand_and_backfilled(browser: Browser, service: Service) -> None:
    hourly = {"cron": "0 * * * *", "message": "before", "paused": True, "end": "2099-01-01T00:00:00Z"}
    assert service.request("PUT", "/v1/schedules/hourly", hourly).status == 200
    browser.open("#/schedules/hourly")
    browser.click("Edit")
    browser.fill("Message", "after")
    browser.fill("Cron expression", "30 * * * *")
    browser.fill("Not after", " ")
    browser.click("Save changes")
    browser.wait_for_text("30 * * * *", ".facts")
    changed = service.get("/v1/schedules/hourly").json()
    assert (changed["message"], changed["cron"], changed["end"]) == ("after", "30 * * * *", None)

    browser.click("Run now")
    browser.wait_for_text("by hand", ".last-runs")
    browser.click("Backfill …")
    browser.wait_for_text("This makes 24 messages.", "dialog")
    assert len(service.get("/v1/messages?schedule=hourly").json()["messages"]) == 1
    browser.click("Backfill 24", "dialog")
    browser.wait_for_text("24 runs", ".notices")
    # The list above the link stops growing.
    wait_for("its last runs", lambda: browser.script(RUNS) == 20)
    browser.click("All of its messages")
    wait_for("all of them in the list", lambda: browser.script(ROWS) == 25)
    browser.find(".messages tbody tr a").click()
    browser.wait_for_text("hourly", ".facts")
    service.request("DELETE", "/v1/schedules/hourly")


def test_the_overview_has_a_row_for_a_schedule_whose_last_run_failed(browser: Browser, service: Service) -> None:
    with Endpoint() as endpoint:
        body = {"cron": "0 0 1 1 *", "message": 1, "webhook": {"url": endpoint.url("/flaky/1")}}
        service.request("PUT", "/v1/schedules/yearly", {**body, "retry": {"max_attempts": 1}})
        browser.open()
        browser.find(".figure-row")
        assert "yearly" not in browser.text("main")
        service.post("/v1/schedules/yearly/run")
        browser.wait_for_text("The last run of 1 schedule failed.", ".health-notes")
        browser.wait_for_text("yearly", ".readings")
        service.request("DELETE", "/v1/schedules/yearly")
