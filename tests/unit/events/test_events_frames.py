"""What a viewer may ask for, and what it gets of a batch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import InvalidInput
from scheduler.events.frames import FRAME_EVENTS, GAP, JOB_STATUS_AFTER, STATUS_AFTER, Filter, Frames, Request, hello
from scheduler.events.stream import Batch, Cursor, Event, StreamId
from scheduler.store.scripts import LUA

NAMES = sorted(STATUS_AFTER)


def event(number: int, name: str = "claimed", id: str = "m", channel: str = "echo") -> Event:
    return Event(Cursor(0, StreamId(1, 0), number), name, id, channel, 1, 1_800_000_000_000)


def shown(events: list[Event], wanted: Filter) -> list[dict[str, Any]]:
    frames = Frames(Batch(events, {})).for_viewer(wanted)
    return [found for frame in frames for found in json.loads(frame)]


def wanted(query: str) -> Filter:
    return Request.parse(f"/v1/events?{query}", 1).wanted


class TestRequest:
    def test_of_nothing_wants_everything_from_now_on(self) -> None:
        assert Request.parse("/v1/events", 1) == Request(Filter(), None)

    @pytest.mark.parametrize(
        "query", ["status=dead,scheduled", "status=dead&status=scheduled", "status=scheduled,,dead"]
    )
    def test_values_are_repeated_or_separated_by_commas(self, query: str) -> None:
        assert wanted(query) == Filter(statuses=frozenset({"dead", "scheduled"}))

    def test_all_kinds(self) -> None:
        request = Request.parse("/v1/events?status=dead&channel=webhook&id=a%3Ab&last_event_id=0-5-0-3", 1)
        assert request.wanted == Filter(frozenset({"dead"}), frozenset({"webhook"}), frozenset({"a:b"}))
        assert request.cursor == Cursor(0, StreamId(5, 0), 3)

    def test_what_happens_to_schedules_and_destinations_has_channels_of_its_own(self) -> None:
        assert wanted("channel=schedule,destination,echo").channels == {"schedule", "destination", "echo"}

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("status=lost", "status"),
            ("channel=webhooks", "channel"),
            ("statuses=dead", "statuses"),
            ("last_event_id=1", "last_event_id"),
            ("last_event_id=0-5-0-3&last_event_id=0-5-0-4", "last_event_id"),
            ("id=" + ",".join(map(str, range(101))), "id"),
            ("&".join(f"id={number}" for number in range(101)), ""),
        ],
    )
    def test_what_is_refused(self, query: str, field: str) -> None:
        with pytest.raises(InvalidInput) as raised:
            Request.parse(f"/v1/events?{query}", 1)
        assert [fault.field for fault in raised.value.errors] == [field]


class TestTheWordsOfJobs:
    """``/api/ws``."""

    asked = Request.parse("/api/ws?anything=ignored", 1)

    def test_of_jobs_only_from_now_on_and_without_a_greeting(self) -> None:
        assert self.asked == Request(Filter(channels=frozenset({"job"}), jobs_words=True), None)
        assert hello("x", self.asked.wanted, resumed=False) == []

    def test_an_object_for_each_event_and_no_gap(self) -> None:
        events = [
            event(0, "scheduled", "a", "job"),
            event(1, "claimed", "b", "echo"),
            event(2, "retried", "c", "job")._replace(again_in_ms=1500),
        ]
        frames = Frames(Batch(events, {}, gap=True)).for_viewer(self.asked.wanted)
        assert [json.loads(frame) for frame in frames] == [
            {"job_id": "a", "status": "queued"},
            {"job_id": "c", "status": "retrying", "retry_in": 1.5},
        ]

    def test_every_event_has_one_of_the_old_words(self) -> None:
        assert JOB_STATUS_AFTER.keys() == STATUS_AFTER.keys()
        assert set(JOB_STATUS_AFTER.values()) == {"queued", "active", "completed", "failed", "retrying", "cancelled"}


class TestCursor:
    @given(st.integers(0, 7), st.integers(0, 10**18), st.integers(0, 10**18), st.integers(0, 99))
    def test_comes_back(self, partition: int, ms: int, seq: int, line: int) -> None:
        cursor = Cursor(partition, StreamId(ms, seq), line)
        assert Cursor.parse(str(cursor), 8) == cursor

    @pytest.mark.parametrize(
        "text",
        ["", "0", "0-1-2", "0-1-2-3-4", "a-1-2-3", "0-1-2-", "-1-1-2-3", "8-1-2-3", "0-٣-2-3", f"0-{10**20}-0-0"],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            Cursor.parse(text, 8)


class TestEvents:
    def test_all_that_the_scripts_make_are_known(self) -> None:
        scripts = "".join(path.read_text() for path in LUA.glob("*.lua"))
        made = set(re.findall(r"(?<!_)event\('(\w+)'", scripts)) - {"schedule_", "destination_"} | {"delivered", "dead"}
        assert made == STATUS_AFTER.keys()

    def test_the_page_says_what_each_one_means(self) -> None:
        page = (Path(__file__).parents[3] / "docs" / "events.md").read_text("utf-8")
        rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, re.MULTILINE))
        assert rows == {name: status.value for name, status in STATUS_AFTER.items()}


class TestFilter:
    @pytest.mark.parametrize("status", ["scheduled", "processing", "delivered", "dead", "cancelled"])
    def test_a_status_means_every_event_that_leads_to_it(self, status: str) -> None:
        events = [event(number, name) for number, name in enumerate(NAMES)]
        found = shown(events, Filter(statuses=frozenset({status})))
        assert [each["event"] for each in found] == [name for name in NAMES if STATUS_AFTER[name] == status]
        assert found

    def test_kinds_narrow_each_other(self) -> None:
        events = [event(0, id="a"), event(1, id="a", channel="job"), event(2, id="b", channel="job")]
        both = Filter(channels=frozenset({"job"}), ids=frozenset({"a"}))
        assert [found["event_id"] for found in shown(events, both)] == ["0-1-0-1"]

    @given(
        st.lists(
            st.tuples(st.sampled_from(NAMES), st.sampled_from("abc"), st.sampled_from(["echo", "job"])), max_size=30
        ),
        st.frozensets(st.sampled_from(["scheduled", "dead", "delivered"])),
        st.frozensets(st.sampled_from(["echo", "job"])),
        st.frozensets(st.sampled_from("abcd")),
    )
    def test_finds_what_it_wants_in_order(
        self,
        happened: list[tuple[str, str, str]],
        statuses: frozenset[str],
        channels: frozenset[str],
        ids: frozenset[str],
    ) -> None:
        events = [event(number, *one) for number, one in enumerate(happened)]
        asked = Filter(statuses, channels, ids)
        assert [found["event_id"] for found in shown(events, asked)] == [
            str(one.place) for one in events if asked.wants(one)
        ]


class TestFrames:
    def test_an_event_as_json(self) -> None:
        assert shown([event(7, "delivered", "a:b", "webhook")], Filter()) == [
            {
                "type": "event",
                "event_id": "0-1-0-7",
                "id": "a:b",
                "event": "delivered",
                "channel": "webhook",
                "attempt": 1,
                "at": 1_800_000_000_000,
            }
        ]

    def test_when_the_next_attempt_is_due(self) -> None:
        (found,) = shown([event(0, "retried")._replace(again_in_ms=250)], Filter())
        assert found["again_in_ms"] == 250

    @pytest.mark.parametrize("wanted", [Filter(), Filter(ids=frozenset("m"))])
    def test_a_gap_comes_first(self, wanted: Filter) -> None:
        frames = Frames(Batch([event(0)], {}, gap=True)).for_viewer(wanted)
        assert (frames[0], len(frames)) == (GAP, 2)

    def test_no_frame_for_nothing(self) -> None:
        assert Frames(Batch([event(0)], {})).for_viewer(Filter(ids=frozenset({"other"}))) == []

    def test_a_large_batch_is_cut(self) -> None:
        frames = Frames(Batch([event(number) for number in range(FRAME_EVENTS + 1)], {})).for_viewer(Filter())
        assert [len(json.loads(frame)) for frame in frames] == [FRAME_EVENTS, 1]
