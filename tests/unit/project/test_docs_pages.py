"""The pages as pages: links lead somewhere, words are those of the code, and examples run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import pytest

from scheduler.config.reading import load_settings
from scheduler.jobs import Dead, JobContext
from scheduler.message import Claim, Outcome, Priority
from scheduler.store.records import evidence_of

ROOT = Path(__file__).parents[3]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of its headings."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_index() -> None:
    """docs/README.md, which GitHub shows for the folder, and to which the README leads."""
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in re.findall(r"\]\(([\w./-]+\.md)", index.read_text("utf-8"))}
    assert set(PAGES) - {index} == linked
    assert "(docs/README.md)" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_curl_encodes_what_it_puts_into_an_address(page: Path) -> None:
    """``curl -G -d`` leaves a blank as it is, and refuses the address."""
    for line in re.findall(r"^curl .*-G.*$", page.read_text("utf-8").replace("\\\n", " "), re.MULTILINE):
        assert not re.search(r"-d \w+='[^']* ", line), line


LONGEST_LINE, LONGEST_CELL = 120, 200
WRITTEN = re.compile(r"^<!-- .*?written by.*?<!-- .*? end -->$", re.MULTILINE | re.DOTALL)
"""What a command writes, tables with a sentence at most."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_and_cells_are_short_enough_to_read(page: Path) -> None:
    for line in WRITTEN.sub("", prose(page)).splitlines():
        if line.startswith("|"):
            assert max(len(cell.strip()) for cell in re.split(r"(?<!\\)\|", line)) <= LONGEST_CELL, line
        elif not line.startswith("!["):
            assert len(line) <= LONGEST_LINE, line


def glossary(title: str) -> list[list[str]]:
    page = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.+|none.+) \|$", page.split(f"## {title}")[1], re.MULTILINE)
    return [row.split(" | ") for row in rows]


@pytest.mark.parametrize("kind", ["ack", "retry", "dead", "release"])
def test_the_words_for_an_outcome(kind: Literal["ack", "retry", "dead", "release"]) -> None:
    (row,) = (row for row in glossary("Outcomes, statuses and events") if row[0].startswith(f"`{kind}`"))
    claim = Claim("a", "t", 1, 1, "webhook", "1", None, None, None, Priority.NORMAL, 1, 0)
    evidence = evidence_of(Outcome(claim, kind, error=None if kind == "ack" else "why"))
    words = re.findall(r'"outcome":"(\w+)"', evidence)
    # An attempt that was delivered with nothing to say is stored without words; see message_of.
    assert row[1].startswith(f"`{words[0]}`" if words else "`delivered`" if kind == "ack" else "none")


def test_the_handler_of_the_page_runs() -> None:
    block = next(
        b for b in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "jobs.md").read_text("utf-8"), re.DOTALL)
    )
    names: dict[str, Any] = {}
    exec(compile(block.replace('@handler("resize_image", time_limit=60)\n', ""), "jobs.md", "exec"), names)
    assert names["resize_image"]({"path": "a"}, JobContext("id"))["sizes"][320] == "a-320.webp"
    with pytest.raises(Dead, match="path"):
        names["resize_image"]({}, JobContext("id"))


PRODUCTION = (ROOT / "docs" / "production.md").read_text("utf-8")


def test_the_rights_are_those_of_the_runbook() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    (line,) = re.findall(r"^ACL SETUSER .*$", PRODUCTION, re.MULTILINE)
    assert line in runbook.splitlines()


def test_the_environment_file_is_accepted() -> None:
    lines = re.search(r"<<'SETTINGS'\n(.*?)^SETTINGS$", PRODUCTION, re.MULTILINE | re.DOTALL)
    assert lines
    env = dict(line.split("=", 1) for line in lines[1].splitlines())
    settings = load_settings(env=env)
    assert settings.server.public_url == env["SERVER__PUBLIC_URL"]
    assert settings.api.tokens == [env["API_AUTH"]]


def test_the_unit_reads_the_files_that_the_page_installs() -> None:
    unit = (ROOT / "deploy" / "message-scheduler.service").read_text("utf-8")
    for path in ("/opt/message-scheduler/.venv", "/etc/message-scheduler.env", "User=message-scheduler"):
        assert path in unit
        assert path.removeprefix("User=") in PRODUCTION or path.startswith("/opt")
    assert "/var/lib/message-scheduler" in unit
    assert "/var/lib/message-scheduler" in PRODUCTION
