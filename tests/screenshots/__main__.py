"""``python -m tests.screenshots``: take the pictures of docs/dashboard.md anew, from two real servers under load.

Takes a good quarter of an hour: the charts show 15 minutes.  ``--minutes 1`` while working on the dashboard.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import threading
from pathlib import Path
from typing import Literal

from scheduler.clock import SystemClock
from tests.screenshots import past
from tests.screenshots.load import Load, Shop
from tests.support.browser import Browser
from tests.support.redis_server import RedisServer
from tests.support.service import ROOT, Service
from tests.support.waiting import wait_for

SCREENSHOTS = ROOT / "docs" / "screenshots"
WIDTH = 1280
NARROW = 390
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ENVIRONMENT = {
    "WEBHOOK__ALLOWPRIVATENETWORKS": "true",
    "RETRY__BASESECONDS": "4",
    "JOBS__MODULES": "tests.screenshots.handlers",
}
ROLES: tuple[tuple[str, Literal["all", "worker"]], ...] = (("harbour", "all"), ("quay", "worker"))
SCHEDULE = "sync-crm"
"""The one that is looked at."""
GROWING = 40


def main() -> None:
    """Start everything, wait, take all pictures."""
    parser = argparse.ArgumentParser(prog="tests.screenshots", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.5, help="of load before the first picture (15.5)")
    parser.add_argument("--to", type=Path, default=SCREENSHOTS, help="folder of the pictures (docs/screenshots)")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp")))
        history = f"sqlite:///{folder}/history.db"
        past.write(history, SystemClock().now_ms())
        redis = stack.enter_context(RedisServer(folder, "--appendonly", "yes"))
        harbour, _ = (
            stack.enter_context(
                Service(
                    folder / name,
                    redis_url=redis.url,
                    role=role,
                    env={**ENVIRONMENT, "SERVER__NAME": name, "HISTORY__URL": history},
                )
            )
            for name, role in ROLES
        )
        shop = stack.enter_context(Shop())
        with Browser(f"http://127.0.0.1:{harbour.port}") as browser:
            Camera(browser, options.to).past()
        load = stack.enter_context(Load(harbour, shop))
        dead = load.dead_letters()
        load.schedules()
        threading.Event().wait(options.minutes * 60)
        browser = stack.enter_context(Browser(f"http://127.0.0.1:{harbour.port}"))
        Camera(browser, options.to).all(load, dead[0])


class Camera:
    """Takes pictures of a page as long as it is."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder

    def past(self) -> None:
        """The page over time, while the history holds nothing but its made-up two days."""
        for theme in THEMES:
            self._browser.look(theme=theme)
            self._browser.open("#/over-time")
            self._browser.find(".charts svg")
            self._take(f"over-time-{theme}")

    def all(self, load: Load, dead: str) -> None:
        """Every picture that the docs show; ``dead`` is the id of a dead letter."""
        for theme in THEMES:
            self._browser.look(theme=theme)
            self._overview()
            self._take(f"overview-{theme}")
            self._browser.open("#/messages")
            self._browser.find(".messages tbody tr")
            self._take(f"messages-{theme}", height=900)
            self._browser.open(f"#/messages/{dead}")
            self._browser.find(".attempts li")
            self._take(f"message-{theme}")
            self._form()
            self._take(f"schedule-{theme}")
            self._schedules()
            self._take(f"schedules-{theme}")
            self._browser.open(f"#/schedules/{SCHEDULE}")
            self._browser.find(".last-runs li")
            self._take(f"schedule-of-{theme}")
            self._browser.open("#/flows")
            self._browser.find(".flows tbody tr")
            self._take(f"flows-{theme}")
        self._browser.look(width=NARROW)
        self._overview()
        self._take("overview-narrow", width=NARROW, height=1500)
        self._trouble(load)

    def _overview(self) -> None:
        self._browser.open()
        self._browser.wait_for_text("live", ".connection")
        full = (
            "return document.querySelectorAll('.live li').length > 20 && document.querySelector('.next-due li') != null"
        )
        wait_for("a page full of life", lambda: self._browser.script(full), 60)

    def _form(self) -> None:
        self._browser.open("#/schedule")
        self._browser.choose("channel", "webhook")
        self._browser.fill("Address", "https://hooks.example.com/orders")
        self._browser.fill("Message", "Your table is ready")
        self._browser.choose("when", "time")
        self._browser.wait_for_text("UTC", ".preview")

    def _schedules(self) -> None:
        self._browser.open("#/schedules")
        self._browser.find(".strip li")

    def _trouble(self, load: Load) -> None:
        self._browser.look()
        self._overview()
        load.dead_letters(GROWING)
        self._browser.wait_for_text("growing", "h1", 60)
        wait_for("all of them", lambda: f"{GROWING} more" in self._browser.text(".health-detail"), 60)
        self._take("overview-trouble")

    def _take(self, name: str, *, width: int = WIDTH, height: int | None = None) -> None:
        theme: Literal["light", "dark"] = "dark" if name.endswith("-dark") else "light"
        self._browser.wait_for_text("live", ".connection")
        whole = int(self._browser.script("return document.documentElement.scrollHeight"))
        self._browser.look(width=width, height=height or whole, theme=theme)
        self._browser.screenshot(self._folder / f"{name}.png")
        self._browser.look(width=width, theme=theme)


if __name__ == "__main__":
    main()
