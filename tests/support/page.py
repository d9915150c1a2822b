"""docs/reliability.md: each command writes the section of its own name, between two marks."""

from __future__ import annotations

from tests.support.service import ROOT

PAGE = ROOT / "docs" / "reliability.md"


def write_section(name: str, text: str) -> None:
    """Put ``text`` between the marks of ``make <name>``.  Raises ``ValueError`` when the page lacks them."""
    begin, end = f"<!-- {name}: written by `make {name}` -->", f"<!-- {name}: end -->"
    head, found, rest = PAGE.read_text().partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{PAGE.name} lacks {begin} … {end}")
    PAGE.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}")
