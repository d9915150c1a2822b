"""docs/state_machine.md draws message.TRANSITIONS, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

from scheduler.message import TRANSITIONS, Status

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "state_machine.md").read_text(encoding="utf-8")


def code() -> set[tuple[str, str, str]]:
    return {(t.source.value, t.target.value, t.verb) for t in TRANSITIONS}


def test_the_drawing_has_exactly_the_legal_moves() -> None:
    drawing = PAGE.split("```mermaid\n")[1].split("```")[0]
    drawn = {
        (source, target, verb.strip())
        for source, target, verbs in re.findall(r"^\s*(\w+) --> (\w+): (.+)$", drawing, re.MULTILINE)
        for verb in verbs.split(",")
    }
    assert drawn == code()


def test_the_table_has_a_row_for_each_legal_move() -> None:
    head, *rows = re.findall(r"^\| (\w+) \| (\w+) \| (\w+) \|", PAGE, re.MULTILINE)
    assert head == ("from", "to", "verb")
    assert sorted(rows) == sorted(code())


def test_every_state_is_drawn() -> None:
    assert [status for status in Status if not re.search(rf"\b{status}\b", PAGE)] == []
