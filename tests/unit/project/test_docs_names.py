"""What a page names exists: metrics and their labels, settings, files, and the sentences that the runbook quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scheduler.config.sections.logs import LogSettings
from scheduler.config.settings import every_setting
from scheduler.logs import sinks as logs
from tests.support.clock import FakeClock
from tests.support.samples import SELECTOR, Samples, family_of, shown_samples

ROOT = Path(__file__).parents[3]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
FIXTURES = {"scheduler_service", "scheduler_settings"}
"""Of the Python client's plug-in for pytest; no metrics."""


def pages() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        yield page.name, page.read_text("utf-8")


@pytest.fixture
def samples(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Samples:
    return shown_samples(clock, monkeypatch)


def test_every_metric_that_a_page_names(samples: Samples) -> None:
    known = {*samples, *FIXTURES, *map(family_of, samples)}
    unknown = {(page, m[1]) for page, text in pages() for m in SELECTOR.finditer(text) if m[1] not in known}
    assert unknown == set()


def test_every_label_and_value_that_a_page_names(samples: Samples) -> None:
    for page, text in pages():
        for name, selector in SELECTOR.findall(text):
            for label, value in re.findall(r'(\w+)="([^"]*)"', selector):
                # Which status codes there were is chance.
                if label != "status":
                    assert value in samples[name].get(label, set()), f"{page}: {name}{{{selector}}}"


def test_the_scrape_configuration_sends_the_token() -> None:
    (scrape,) = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", RUNBOOK, re.DOTALL))
    assert scrape["scrape_configs"][0]["authorization"]["type"] == "Bearer"


def test_every_setting_that_a_page_names() -> None:
    known = {setting.key for setting in every_setting()}
    sections = {key.split(".")[0] for key in known}
    variables = {"SECTIONKEY"} | {setting.variable.replace("_", "") for setting in every_setting()}
    for page, text in pages():
        for key in re.findall(r"`([A-Z][A-Za-z]+\.[A-Z][A-Za-z]+)`", text):
            assert key.split(".")[0] not in sections or key in known, f"{page}: {key}"
        for variable in re.findall(r"`([A-Z]+__[A-Z_]+)[=`]", text):
            # Underscores within a name are optional.
            assert variable.replace("_", "") in variables, f"{page}: {variable}"


def test_every_file_that_a_page_names(tmp_path: Path) -> None:
    log = logs.setup(LogSettings(directory=str(tmp_path)), "scheduler", console=False)
    log.error("something to write")
    log.close()
    written = {f"logs/{path.name}" for path in tmp_path.iterdir()}
    for page, text in pages():
        for name in re.findall(r"`((?:logs|config|docs|scheduler|tests|bench)/[\w./-]+)`", text):
            assert name in written or (ROOT / name).exists(), f"{page}: {name}"


def test_every_test_that_a_page_names() -> None:
    named = {
        (page, file.removeprefix("tests/"), name)
        for page, text in pages()
        for file, name in re.findall(r"`((?:\w+/)*test_\w+\.py)(?:::([\w:]+))?`", text)
    }
    assert len(named) > 50
    for page, file, name in named:
        assert (ROOT / "tests" / file).exists(), f"{page}: {file}"
        source = (ROOT / "tests" / file).read_text("utf-8")
        for part in filter(None, name.split("::")):
            assert re.search(rf"^ *(?:def|class) {part}\b", source, re.MULTILINE), f"{page}: {file}::{name}"


def spoken() -> str:
    """What the service may say: its source, strings that stand beside each other joined, in lower case."""
    files = [ROOT / "app.py", *(ROOT / "scheduler").rglob("*.py"), *(ROOT / "scheduler").rglob("*.lua")]
    text = "\n".join(path.read_text("utf-8") for path in files)
    return re.sub(r"\s+", " ", re.sub(r'"\s*\n\s*f?"', "", text)).lower()


def test_every_sentence_that_the_runbook_quotes() -> None:
    said = spoken()
    prose = re.sub(r"```.*?```|`[^`]*`", "", RUNBOOK, flags=re.DOTALL)
    quoted = re.findall(r'"([^"]+)"', prose)
    assert len(quoted) > 10
    for sentence in quoted:
        for part in re.split(r"…|https://|\d+|[():]", " ".join(sentence.lower().split())):
            assert part.strip() in said, f"nothing in the service says {part!r} ({sentence!r})"


def test_a_sentence_that_nobody_says_is_found() -> None:
    assert "a sentence that nobody says" not in spoken()
