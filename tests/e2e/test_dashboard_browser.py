"""The dashboard in a real browser, on the real service: what a person does with it, start to end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Browser
from tests.support.endpoint import Endpoint
from tests.support.redis_server import RedisServer
from tests.support.service import Service, add
from tests.support.waiting import wait_for

TOKEN = "a-token/of=ours+"
HTML = "<img src=x onerror=\"document.title='taken over'\"><b>bold</b><script>document.title='taken over'</script>"
MANY = 100_000
FAR = "30d"
KEY = "k" * 60
SCHEDULE = "every-hour-of-a-working-day"
VIEWS = {
    "#/": ".next-due li",
    "#/messages": ".messages tbody tr",
    "#/schedule": ".preview-local",
    "#/schedules": ".schedules tbody tr",
    f"#/schedules/{SCHEDULE}": ".next-runs li",
    "#/new-schedule": ".runs-preview li",
    "#/flows": ".flows tbody tr",
    f"#/flows/{KEY}": "form.panel",
}
"""Places, and what is there once they are drawn in full."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    env = {"WEBHOOK__ALLOWPRIVATENETWORKS": "true", "RETRY__BASESECONDS": "0.05", "RETRY__JITTER": "false"}
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


def status(service: Service, id: str) -> str:
    return str(service.get(f"/v1/messages/{id}").json()["status"])


def shown_id(browser: Browser) -> str:
    wait_for("a message's page", lambda: browser.hash().startswith("#/messages/"))
    return browser.hash().removeprefix("#/messages/")


# -- schedule, see ---------------------------------------------------------------------------------------------------


def test_a_message_is_scheduled_by_the_form_and_seen_delivered_live(browser: Browser, service: Service) -> None:
    browser.open("#/schedule")
    browser.fill("Message", "hello from the form")
    browser.fill("Delay", "2s")
    browser.wait_for_text("UTC", ".preview")
    browser.click("Schedule", "form")
    id = shown_id(browser)
    browser.wait_for_text("scheduled", ".page-head")
    # Nothing is clicked: the page learns it by itself.
    browser.wait_for_text("delivered", ".page-head")
    browser.wait_for_text("Attempt 1", ".attempts")
    assert status(service, id) == "delivered"
    assert any("hello from the form" in text for text in service.stdout.texts())


def test_events_arrive_as_they_happen(browser: Browser, service: Service) -> None:
    browser.open()
    browser.wait_for_text("live", ".connection")
    (id,) = service.schedule([{"message": "seen live"}])
    for event in ("scheduled", "claimed", "delivered"):
        browser.wait_for_text(event, ".live")
    assert id in browser.text(".live")


def test_a_webhook_that_fails_is_seen_retrying_until_it_succeeds(browser: Browser, service: Service) -> None:
    retrying = ".figure-row li:nth-child(5)"
    with Endpoint() as endpoint:
        browser.open()
        browser.wait_for_text("Retrying\n0", retrying)
        hook = {"message": 1, "webhook": {"url": endpoint.url("/flaky/1")}, "retry": {"base": 3600, "cap": 3600}}
        (id,) = service.schedule([hook])
        browser.wait_for_text("Retrying\n1", retrying)
        browser.wait_for_text("retried", ".live")
        # It is where the figure leads: among the scheduled ones, with what went wrong.
        browser.find(f"{retrying} a").click()
        browser.wait_for_text(id, ".messages")
        browser.wait_for_text("HTTP 503", ".messages")
        browser.open()
        browser.wait_for_text("Retrying\n1", retrying)
        service.post(f"/v1/messages/{id}/run")
        browser.wait_for_text("Retrying\n0", retrying)
        wait_for("delivered", lambda: status(service, id) == "delivered")


def test_a_moment_is_previewed_as_the_service_reads_it(browser: Browser) -> None:
    browser.open("#/schedule")
    browser.choose("when", "text")
    # Clocks go forward that night: 02:30 does not exist, and becomes 03:30, which is 01:30 UTC.
    browser.fill("Moment", "2027-03-28T02:30:00")
    browser.fill("Time zone", "Europe/Berlin")
    browser.wait_for_text("28 Mar 2027, 01:30:00 UTC", ".preview")
    browser.fill("Moment", "yesterday-ish")
    browser.wait_for_text("yesterday-ish", ".preview .problem")


def test_what_the_service_refuses_is_said_beside_its_field(browser: Browser) -> None:
    browser.open("#/schedule")
    browser.choose("channel", "webhook")
    browser.fill("Address", "ftp://example.com")
    browser.fill("Message", "never sent")
    browser.choose("when", "now")
    browser.click("Schedule", "form")
    browser.wait_for_text("webhook.url", ".problem-box")
    assert browser.find("input[type=url]").get_attribute("aria-invalid") == "true"
    assert browser.hash() == "#/schedule"


def test_a_payload_full_of_html_stays_text(browser: Browser, service: Service) -> None:
    (id,) = service.schedule([{"message": HTML, "delay": FAR, "priority": "high"}])
    for place, css in ((f"#/messages/{id}", ".code"), ("#/messages?status=scheduled&priority=high", ".messages")):
        browser.open(place)
        browser.wait_for_text("<b>bold</b>", css)
        assert browser.script("return document.querySelectorAll('main img, main script').length") == 0
        assert "taken over" not in browser.driver.title
    service.request("DELETE", f"/v1/messages/{id}")


# -- act -------------------------------------------------------------------------------------------------------------


def test_a_message_is_edited_run_and_cancelled_with_one_question(browser: Browser, service: Service) -> None:
    first, second = service.schedule([{"message": "before", "delay": FAR}, {"message": "not wanted", "delay": FAR}])
    browser.open(f"#/messages/{first}")
    browser.click("Edit")
    browser.fill("Message", "after")
    browser.click("Save changes")
    browser.wait_for_text("after", ".code")
    browser.click("Run now")
    browser.wait_for_text("delivered", ".page-head")
    assert service.get(f"/v1/messages/{first}").json()["message"] == "after"

    browser.open(f"#/messages/{second}")
    browser.click("Cancel message")
    browser.click("Leave it", "dialog")
    assert status(service, second) == "scheduled"
    browser.click("Cancel message")
    browser.click("Cancel the message", "dialog")
    browser.wait_for_text("cancelled", ".page-head")
    assert status(service, second) == "cancelled"


def test_dead_letters_are_redriven_one_and_many(browser: Browser, service: Service) -> None:
    with Endpoint() as endpoint:
        hook = {"message": 1, "webhook": {"url": endpoint.url("/flaky/1")}, "retry": {"max_attempts": 1}}
        ids = service.schedule([hook, hook, hook])
        for id in ids:
            wait_for("a dead letter", lambda id=id: status(service, id) == "dead")  # type: ignore[misc]

        browser.open(f"#/messages/{ids[0]}")
        browser.wait_for_text("503", ".attempts")
        browser.click("Redrive")
        browser.wait_for_text("delivered", ".page-head")

        browser.open("#/messages?status=dead")
        browser.click("Redrive dead letters …")
        browser.wait_for_text("This redrives 2 messages.", "dialog")
        assert [status(service, id) for id in ids[1:]] == ["dead", "dead"]
        browser.click("Redrive 2", "dialog")
        browser.wait_for_text("2 dead letters scheduled again", ".notices")
        for id in ids[1:]:
            wait_for("delivered", lambda id=id: status(service, id) == "delivered")  # type: ignore[misc]


def test_delivery_is_paused_with_one_question_and_resumed_without(browser: Browser, service: Service) -> None:
    browser.open()
    browser.click("Pause delivery")
    browser.press(Keys.ESCAPE)
    wait_for("no dialog", lambda: not browser.script("return document.querySelector('dialog')"))
    assert service.get("/v1/stats").json()["paused"] is False
    browser.click("Pause delivery")
    browser.click("Pause delivery", "dialog")
    browser.wait_for_text("Delivery is paused.", "h1")
    (id,) = service.schedule([{"message": "waits"}])
    browser.click("Resume delivery")
    browser.find(".health-ok h1")
    wait_for("delivered", lambda: status(service, id) == "delivered")


def test_limits_of_a_flow_key_are_pinned_and_unpinned(browser: Browser, service: Service) -> None:
    """Before its first message, too."""
    browser.open("#/flows/tenant-7")
    browser.fill("At once", "3")
    browser.fill("Attempts", "100")
    browser.click("Pin", "form.panel")
    browser.wait_for_text("period", ".problem-box")
    browser.fill("per", "1m")
    browser.click("Pin", "form.panel")
    browser.wait_for_text("100 per 1 min pinned", ".flows")
    limits = service.get("/v1/flows/tenant-7").json()["limits"]
    assert (limits["concurrency"], limits["rate"], limits["period_ms"]) == (3, 100, 60_000)
    browser.click("Unpin", "form.panel")
    browser.wait_for_text("No message has this flow key now")
    assert service.get("/v1/flows/tenant-7").status == 404


def test_a_message_is_found_by_its_id(browser: Browser, service: Service) -> None:
    (id,) = service.schedule([{"message": "found", "delay": FAR}])
    browser.open("#/messages")
    browser.find("#find-id").send_keys(id, Keys.ENTER)
    browser.wait_for_text("found", ".code")
    browser.open("#/messages/nobody")
    browser.wait_for_text("No message has this id.")
    service.request("DELETE", f"/v1/messages/{id}")


# -- when things go wrong ---------------------------------------------------------------------------------------------


def test_it_says_that_redis_is_away_and_recovers(one_browser: Browser, short_tmp: Path) -> None:
    with (
        RedisServer(short_tmp) as redis,
        Service(short_tmp, redis_url=redis.url) as service,
        one_browser.at(f"http://127.0.0.1:{service.port}") as browser,
    ):
        browser.open()
        browser.find(".health-ok h1")
        redis.kill()
        browser.wait_for_text("Redis is away", "h1")
        assert "Start Redis again" in browser.text(".health-remedy")
        redis.start()
        browser.find(".health-ok h1", seconds=30)
        browser.wait_for_text("live", ".connection", seconds=30)
        (id,) = service.schedule([{"message": "after all that"}])
        browser.wait_for_text(id, ".live")


def test_it_says_that_no_scheduler_is_alive_and_that_the_service_is_gone(one_browser: Browser, short_tmp: Path) -> None:
    with (
        RedisServer(short_tmp) as redis,
        Service(short_tmp, redis_url=redis.url, role="api") as service,
        one_browser.at(f"http://127.0.0.1:{service.port}") as browser,
    ):
        browser.open()
        browser.wait_for_text("No scheduler is alive", "h1")
        assert "worker" in browser.text(".health-remedy")
        service.stop()
        browser.wait_for_text("The service does not answer.", "h1")


def test_it_says_which_scheduler_runs_and_is_stuck(browser: Browser, service: Service) -> None:
    stuck = {"role": "scheduler", "progress_age_ms": 42_000}
    with service.store() as store:
        browser.open()
        # Not that all is well: on a busy machine the page may say that messages are late.
        browser.find("h1")
        store.beat("quay/scheduler", stuck)
        browser.wait_for_text("1 of 2 schedulers is running, but stuck.", "h1")
        assert "quay/scheduler: no progress for 42 s" in browser.text(".health-detail")
        assert "Restart that server" in browser.text(".health-remedy")
        browser.wait_for_text("stuck: no progress for 42 s", ".servers")
        store.leave("quay/scheduler")
        wait_for("it is stuck no more", lambda: "stuck" not in browser.text("h1"))


def test_it_asks_for_the_token_and_keeps_it_for_the_tab_only(one_browser: Browser, short_tmp: Path) -> None:
    with (
        Service(short_tmp, env={"API_AUTH": TOKEN}) as service,
        one_browser.at(f"http://127.0.0.1:{service.port}") as browser,
    ):
        browser.open()
        browser.wait_for_text("Access token", "dialog")
        browser.fill("Token", "a wrong one")
        browser.press(Keys.ENTER)
        browser.wait_for_text("refused", "dialog")
        browser.fill("Token", TOKEN)
        browser.press(Keys.ENTER)
        browser.find(".health-ok h1")
        browser.wait_for_text("live", ".connection")
        browser.driver.refresh()
        browser.find(".health-ok h1")
        assert TOKEN not in browser.script("return JSON.stringify([localStorage, document.cookie, location.href])")


# -- for everybody ---------------------------------------------------------------------------------------------------


def test_it_is_used_by_keyboard_alone(browser: Browser, service: Service) -> None:
    browser.open()
    browser.find(".health-ok h1")
    browser.press(Keys.TAB)
    assert browser.focused() == "Skip to the content"
    browser.press(Keys.ENTER)
    assert browser.script("return document.activeElement.id") == "main"
    browser.press("n")
    browser.wait_for_text("Schedule a message", "h1")
    browser.press(Keys.TAB, Keys.TAB)
    type_into(browser, "Message", "typed")
    browser.press(Keys.TAB)
    browser.choose("when", "now")
    browser.find("form button[type=submit]").send_keys(Keys.ENTER)
    assert wait_for("delivered", lambda: status(service, shown_id(browser)) == "delivered")


def type_into(browser: Browser, label: str, text: str) -> None:
    """Go on with the Tab key until the field has the focus, then type."""
    for _ in range(20):
        focus = browser.script("return document.activeElement.labels?.[0]?.innerText ?? ''")
        if focus == label:
            browser.press(text)
            return
        browser.press(Keys.TAB)
    raise AssertionError(f"the Tab key does not lead to {label!r}")


@pytest.fixture
def waiting(service: Service) -> Iterator[None]:
    """Two messages, a schedule and a flow key that stretch a page."""
    ids = service.schedule([{"message": "w" * 500, "delay": FAR}, {"message": "many words " * 50, "delay": FAR}])
    hourly = {"cron": "0 8-18 * * mon-fri", "message": "w" * 500, "labels": ["working-days"], "end": "2099-01-01"}
    service.request("PUT", f"/v1/schedules/{SCHEDULE}", hourly)
    service.request("PUT", f"/v1/flows/{KEY}", {"concurrency": 1_000_000, "rate": 1_000_000, "period": "7d"})
    yield
    service.request("DELETE", f"/v1/schedules/{SCHEDULE}")
    service.request("DELETE", f"/v1/flows/{KEY}")
    for id in ids:
        service.request("DELETE", f"/v1/messages/{id}")


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("view", VIEWS)
def test_it_fits_a_narrow_screen(browser: Browser, view: str) -> None:
    browser.look(width=360, height=740)
    browser.open(view)
    browser.find(VIEWS[view])
    assert browser.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_text_is_readable_in_both_themes(browser: Browser, view: str, theme: Literal["light", "dark"]) -> None:
    browser.look(theme=theme)
    browser.open(view)
    browser.find(VIEWS[view])
    assert browser.script(CONTRAST) == []


CONTRAST = """
const channels = (text) => {
  const context = (window.probe ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true }));
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
};
const background = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = channels(getComputedStyle(at).backgroundColor);
    if (color[3] > 250) return color;
  }
  return channels('white');
};
const light = ([r, g, b]) => {
  const part = (value) => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const found = [];
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || element.closest('svg, noscript, :disabled') || !element.checkVisibility()) continue;
  const [a, b] = [light(channels(getComputedStyle(element).color)), light(background(element))].sort();
  if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) found.push(element.outerHTML.slice(0, 120));
}
return found;
"""
"""WCAG AA: a contrast of 4.5 between every text and what is behind it."""


@pytest.mark.usefixtures("waiting")
def test_every_control_has_a_name(browser: Browser) -> None:
    for view, drawn in VIEWS.items():
        browser.open(view)
        browser.find(drawn)
        nameless = browser.script("""
            return [...document.querySelectorAll('a, button, input, select, textarea, summary')]
              .filter((e) => e.checkVisibility())
              .filter((e) => !(e.innerText?.trim() || e.ariaLabel || e.labels?.[0]?.textContent.trim()))
              .map((e) => e.outerHTML.slice(0, 120));
        """)
        assert nameless == []


# -- size ------------------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_messages_are_listed_and_paged(
    browser: Browser, service: Service, record_property: Callable[[str, object], None]
) -> None:
    # Not over HTTP, which takes twice as long.
    with service.store() as store:
        first_due = store.own_ms() + 3_600_000
        add(store, [(f"number {n}", first_due + 1000 * n) for n in range(MANY)])
    browser.open("#/messages?status=scheduled")
    browser.wait_for_text("number", ".messages", 30)
    paint = browser.script("return performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    first = browser.script("return performance.now()")
    turns = [turn(browser) for _ in range(10)]
    browser.wait_for_text("Page 11", ".pager")
    rows = browser.script("return document.querySelectorAll('.messages tbody tr').length")
    figures = {"first_paint_ms": paint, "list_ms": first, "page_ms": sorted(turns)[len(turns) // 2]}
    for name, value in figures.items():
        record_property(name, round(value))
    print(json.dumps({name: round(value) for name, value in figures.items()}))  # noqa: T201 - docs/dashboard.md tells of it
    assert rows == 50
    # A page costs the same wherever it is; the bound is for the slowest machine that runs this.
    assert max(turns) < 3_000


def turn(browser: Browser) -> float:
    """Press Next; ms until the next page is drawn."""
    return float(
        browser.driver.execute_async_script(
            """
            const done = arguments[0];
            const first = () => document.querySelector('.messages .id')?.innerText;
            const [before, start] = [first(), performance.now()];
            const look = () => first() !== before ? done(performance.now() - start) : requestAnimationFrame(look);
            [...document.querySelectorAll('.pager button')].find((b) => b.innerText === 'Next').click();
            look();
            """
        )
    )
