"""A real browser for tests: Debian's Chromium (packages ``chromium`` and ``chromium-driver``), without a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service as DriverService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.programs import need
from tests.support.waiting import wait_for

T = TypeVar("T")

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # containers and CI run as root, where Chromium's own sandbox refuses to start
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--lang=en-GB",
)
_STARTS = 3
_LOOK = 0.03
"""Seconds between two looks at the page.  Each goes through three processes and has the page laid out: at 10 ms a test
that waits keeps a processor busy.
"""
_NOT_NOW = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
_BUTTONS = "//*[self::button or self::a or self::summary][normalize-space()={0} or @aria-label={0}][not(@disabled)]"


def find_programs() -> tuple[str, str]:
    """Chromium and its driver."""
    return need("chromium"), need("chromedriver")


class Browser:
    """One Chromium with one tab on a dashboard at ``address`` (``http://127.0.0.1:3000``).

    ``arguments``: more of Chromium's command line.
    """

    def __init__(self, address: str, *arguments: str) -> None:
        self.address = address
        self.driver = _start(arguments)

    # -- going places ----------------------------------------------------------------------------------------------

    @contextmanager
    def at(self, address: str) -> Iterator[Browser]:
        """Look at another dashboard for a while; nothing of it is left open, and asks a service that is gone."""
        before, self.address = self.address, address
        self.look()
        self.complaints()
        try:
            yield self
        finally:
            self.driver.get("about:blank")
            self.complaints()
            self.address = before

    def open(self, path: str = "#/") -> None:
        """Load the dashboard afresh at this place."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.address}/{path}")

    def look(self, *, width: int = 1280, height: int = 900, theme: Literal["light", "dark"] = "light") -> None:
        """The size of the page in CSS pixels and what ``prefers-color-scheme`` says, from now on."""
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    # -- seeing ----------------------------------------------------------------------------------------------------

    def text(self, css: str = "body") -> str:
        """The visible text of the first element that matches; empty when there is none."""
        return str(self.script("const e = document.querySelector(arguments[0]); return e ? e.innerText : ''", css))

    def wait_for_text(self, text: str, css: str = "body", seconds: float = 30.0) -> None:
        """Until the element shows the text."""
        try:
            wait_for(f"{text!r} in {css}", lambda: text in self.text(css), seconds, _LOOK)
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows: {self.text(css)!r}") from None

    def find(self, css: str, seconds: float = 30.0) -> WebElement:
        """The first element that matches, once it is visible."""
        return self._when_there(css, lambda: self.driver.find_element(By.CSS_SELECTOR, css), seconds)

    def script(self, text: str, *arguments: Any) -> Any:
        """Run JavaScript in the page."""
        return self.driver.execute_script(text, *arguments)

    def hash(self) -> str:
        """Where the page is: ``#/messages``."""
        return str(self.script("return location.hash"))

    def focused(self) -> str:
        """The text, or the name, of what has the focus."""
        return str(self.script("const e = document.activeElement; return e.innerText || e.ariaLabel || e.name || e.id"))

    def complaints(self) -> list[str]:
        """What the console holds against the page since the last call, but for requests that failed."""
        entries: list[dict[str, str]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if "Failed to load resource" not in entry["message"]]

    def screenshot(self, file: Path) -> None:
        self.driver.save_screenshot(str(file))

    # -- acting ----------------------------------------------------------------------------------------------------

    def click(self, name: str, within: str = "body") -> None:
        """Press the button, or follow the link, of this name."""
        path = _BUTTONS.format(_quoted(name))

        def press() -> bool:
            for scope in self.driver.find_elements(By.CSS_SELECTOR, within):
                for element in scope.find_elements(By.XPATH, f".{path}"):
                    if element.is_displayed():
                        element.click()
                        return True
            return False

        wait_for(f"a button or link {name!r} in {within}", _patient(press), every=_LOOK)

    def choose(self, name: str, value: str) -> None:
        """Choose the radio button of this value in its group."""
        css = f"input[type=radio][name={name}][value={value}]"
        click = "const e = document.querySelector(arguments[0]); e?.click(); return !!e"
        wait_for(css, lambda: self.script(click, css), every=_LOOK)

    def fill(self, label: str, text: str) -> None:
        """Type into the field of this label in place of what stands there."""
        field = self._when_there(label, lambda: self.driver.find_element(By.XPATH, _field(label)), 30)
        # As a person does it: what clear() does behind React's back lasts until React draws again.
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text)

    def press(self, *keys: str) -> None:
        """Send keys to what has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.driver.quit()

    def _when_there(self, what: str, find: Callable[[], WebElement], seconds: float) -> WebElement:
        def shown() -> WebElement | None:
            element = find()
            return element if element.is_displayed() else None

        return wait_for(what, _patient(shown), seconds, _LOOK)


def _start(arguments: Sequence[str]) -> Chrome:
    browser, driver = find_programs()
    options = ChromeOptions()
    options.binary_location = browser
    for argument in (*_ARGUMENTS, *arguments):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for left in reversed(range(_STARTS)):
        try:
            return Chrome(options=options, service=DriverService(driver))
        except WebDriverException:
            # On a busy machine a new renderer sometimes dies before it says a word.
            if not left:
                raise
    raise AssertionError("unreachable")


def _patient(probe: Callable[[], T]) -> Callable[[], T | None]:
    """React draws anew while the test looks: an element that went away, or is covered, is looked for again."""

    def ask() -> T | None:
        try:
            return probe()
        except _NOT_NOW:
            return None

    return ask


def _field(label: str) -> str:
    by_id = f"//*[@id=//label[normalize-space()={_quoted(label)}]/@for]"
    wrapped = f"//label[span[normalize-space()={_quoted(label)}]]//*[self::input or self::select or self::textarea]"
    return f"({by_id} | {wrapped})[1]"


def _quoted(text: str) -> str:
    """An XPath literal; XPath 1.0 has no escapes."""
    parts: Sequence[str] = text.split("'")
    return f"'{text}'" if len(parts) == 1 else "concat(" + ', "\'", '.join(f"'{part}'" for part in parts) + ")"
