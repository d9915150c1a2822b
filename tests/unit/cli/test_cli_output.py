"""What people see: tables that lose nothing but the end of a message."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from scheduler.cli import output

ID = "L1vKQlWzI7GuBHxy"
MOMENT = "2027-01-01T09:00:00.000Z"


def printed(monkeypatch: pytest.MonkeyPatch, width: int, message: object) -> list[str]:
    """The lines of a table on a terminal of this width."""
    out = io.StringIO()
    monkeypatch.setattr(output, "console", lambda: Console(file=out, width=width))
    output.console().print(output.table(["id", "due", "message"], [[ID, MOMENT, message]]), crop=False)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("width", [200, 80, 60, 20])
def test_ids_and_moments_are_never_cut(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    head, rule, row = printed(monkeypatch, width, "x" * 500)
    assert head.split() == ["id", "due", "message"]
    assert set(rule) == {"─"}
    assert row.startswith(f"{ID}  {MOMENT}  xxxxxxxxxxxxxxxxxxx")
    assert row.endswith("…")
    assert len(row) == max(width, len(f"{ID}  {MOMENT}  ") + 20)


def test_what_fits_is_shown_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, 80, {"order": 4711})[2] == f'{ID}  {MOMENT}  {{"order": 4711}}'


def test_an_empty_list_has_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "console", lambda: Console(width=80))
    assert output.table(["id", "message"], []).row_count == 0
