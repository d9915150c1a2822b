"""Pages merged out of several sorted sets, and their cursors."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import InvalidInput
from scheduler.message import Message, Priority, Status
from scheduler.store.paging import SECTIONS, PageCursor, Part, Position, collect, merge, sections_of


def listed(id: str) -> Message:
    return Message(
        id=id, status=Status.SCHEDULED, channel="echo", payload="1", due_at=0, priority=Priority.NORMAL, attempt=0,
        created_at=0, updated_at=0,
    )  # fmt: skip


def read(members: Sequence[Position], after: Position | None, limit: int, scan: int, down: bool) -> Part[Message]:
    """What page.lua gives of one set."""
    ordered = sorted(members, reverse=down)
    left = [m for m in ordered if after is None or (m < after if down else m > after)]
    looked = left[: min(limit, scan)]
    return Part([(m, listed(m.id)) for m in looked], looked[-1] if len(left) > len(looked) else None)


ROWS = st.lists(
    st.builds(Position, st.integers(0, 3).map(float), st.text("ab", min_size=1, max_size=4)), unique_by=lambda p: p.id
)


@given(st.lists(ROWS, min_size=1, max_size=3), st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_pages_of_merged_sets_join_without_gap_or_repeat(
    sets: list[list[Position]], limit: int, scan: int, down: bool
) -> None:
    unique = [[Position(m.score, f"{m.id}{n}") for m in members] for n, members in enumerate(sets)]
    found: list[str] = []
    after: Position | None = None
    while True:
        page, after = merge([read(members, after, limit, scan, down) for members in unique], limit, down)
        assert len(page) <= limit
        found += [message.id for message in page]
        if after is None:
            break
    assert found == [m.id for m in sorted((m for members in unique for m in members), reverse=down)]


@given(st.lists(ROWS, min_size=4, max_size=4), st.integers(1, 5))
def test_sections_follow_each_other_in_their_own_direction(sections: list[list[Position]], limit: int) -> None:
    found: list[str] = []
    cursor: PageCursor | None = None
    while True:
        page, cursor = collect(
            lambda section, after, rows: [read(sections[section], after, rows, 2, SECTIONS[section][1])],
            range(4), limit, cursor,
        )  # fmt: skip
        assert len(page) <= limit
        found += [message.id for message in page]
        if cursor is None:
            break
        cursor = PageCursor.decode(cursor.encode())
    assert found == [
        m.id for n, members in enumerate(sections) for m in sorted(members, reverse=SECTIONS[n][1])
    ]  # fmt: skip


@given(st.integers(0, 3), st.none() | st.builds(Position, st.integers(-(2**53), 2**53).map(float), st.text(min_size=1)))
def test_a_cursor_survives_the_way_out_and_back(section: int, after: Position | None) -> None:
    cursor = PageCursor(section, after)
    text = cursor.encode()
    assert PageCursor.decode(text) == cursor
    assert text.isascii()
    assert not set(text) & set("+/=&?#% "), "it stands in a URL as it is"


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "!", "a", "é", "\ud800", "AAAA", "1", encoded(""), encoded("x"), encoded("4 "), encoded("-1 "),
        encoded("1 x y"), encoded("1 nan a"), encoded("1 1.5 a"), encoded(f"1 {'9' * 400} a"),
        encoded(f"1 {'9' * 5000} a"), base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)  # fmt: skip
def test_what_is_no_cursor_is_refused_as_bad_input(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^cursor: is not a cursor of this service"):
        PageCursor.decode(text)


@given(st.text())
def test_any_text_is_a_cursor_or_bad_input(text: str) -> None:
    with suppress(InvalidInput):
        assert PageCursor.decode(text).section in range(4)


@pytest.mark.parametrize(
    ("status", "names"),
    [
        (None, ["locks", "scheduled", "dead", "done"]), (Status.PROCESSING, ["locks"]),
        (Status.SCHEDULED, ["scheduled"]), (Status.DEAD, ["dead"]), (Status.DELIVERED, ["done"]),
        (Status.CANCELLED, ["done"]),
    ],
)  # fmt: skip
def test_each_status_reads_its_own_sets(status: Status | None, names: list[str]) -> None:
    assert [SECTIONS[n][0] for n in sections_of(status)] == names
