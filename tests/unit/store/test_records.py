"""Between the scripts' flat replies and the types of message.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.flow import Flow, FlowLimits, Rate
from scheduler.message import Claim, FromNow, Message, NewMessage, Outcome, OutcomeKind, Priority, Status
from scheduler.retry import RetryPolicy
from scheduler.store import records

NOW = 1_800_000_000_000


def claim(**more: Any) -> Claim:
    fields = {
        "id": "a", "token": "t", "attempt": 2, "due_at": NOW, "channel": "echo", "payload": "1", "target": None,
        "type": None, "retry": None, "priority": Priority.NORMAL, "created_at": NOW, "partition": 0,
    }  # fmt: skip
    return Claim(**{**fields, **more})


def test_a_new_message_as_the_script_takes_it() -> None:
    plain = NewMessage(id="a", payload="1", due_at=FromNow(0))
    whole = NewMessage(
        id="b", payload='"é"', due_at=5, channel="webhook", priority=Priority.HIGH, target="T", type="y", owner="w",
        retry=RetryPolicy(-1, 1.5, 2.0, 9.0, False), lane="L", flow=Flow("k", FlowLimits(5, Rate(10, 60_000), True)),
        trace="TP",
    )  # fmt: skip
    assert records.schedule_items([plain, whole]) == [
        "a", "1", "+0", "echo", "normal", "", "", "", "", "", "", "",
        "b", '"é"', 5, "webhook", "high", "T", "y", "w", "-1,1.5,2.0,9.0,0", "L", "k 5,10/60000,1 ,,", "TP",
    ]  # fmt: skip


def test_a_claim_with_everything_left_out_and_with_everything() -> None:
    row = ["a", str(NOW), 1, "1", None, None, None, None, None, "7"]
    assert records.claim_of(row, "t", 3) == Claim(
        "a", "t", 1, NOW, "echo", "1", None, None, None, Priority.NORMAL, 7, 3, "echo"
    )
    row = ["a", str(NOW), 1, "1", "webhook", "T", "y", "3,1.0,2.0,9.0,1", "low", "7", None, "5", 4, "TP"]
    assert records.claim_of(row, "t", 0) == Claim(
        "a", "t", 1, NOW, "webhook", "1", "T", "y", RetryPolicy(3, 1.0, 2.0, 9.0, True), Priority.LOW, 7, 0, "webhook",
        "5", 4, "TP",
    )  # fmt: skip
    row = ["a", str(NOW), 1, "1", "job", None, "y", None, None, "7"]
    assert [records.claim_of([*row, lane, None, None, None], "t", 0).lane for lane in (None, "job:z")] == [
        "job:y",
        "job:z",
    ]


def attempts_of(outcome: Outcome) -> list[dict[str, Any]] | None:
    """The evidence of an outcome as it comes back with the message."""
    fields = ["p", "1", "c", "7", "h:2", records.evidence_of(outcome)]
    return records.whole_message("a", ["9", fields]).attempts


def test_the_usual_evidence_takes_few_bytes_and_comes_back() -> None:
    outcome = Outcome(claim(), "ack", duration_ms=0.1234, lateness_ms=2.5)
    assert len(records.evidence_of(outcome)) <= 64, "longer values make Redis's compact hash a table"
    assert attempts_of(outcome) == [
        {"attempt": 2, "started_at": NOW + 2, "duration_ms": 0.123, "lateness_ms": 2.5, "outcome": "delivered"}
    ]


@pytest.mark.parametrize("kind", ["ack", "dead"])
def test_the_wait_at_a_flow_key_is_kept_with_the_attempt(kind: OutcomeKind) -> None:
    (attempt,) = attempts_of(Outcome(claim(flow_wait_ms=1250), kind)) or []
    assert attempt["flow_wait_ms"] == 1250


@pytest.mark.parametrize(("kind", "name"), [("ack", "delivered"), ("retry", "failed"), ("dead", "failed")])
def test_evidence_with_more_to_say(kind: OutcomeKind, name: str) -> None:
    more = {"status_code": 503, "response": 'say "é"\n'}
    assert attempts_of(Outcome(claim(), kind, 12.0, 1.0, error="503 é", evidence=more)) == [
        {
            "attempt": 2, "started_at": NOW + 1, "duration_ms": 12.0, "lateness_ms": 1.0, "outcome": name,
            "error": "503 é", "status_code": 503, "response": 'say "é"\n',
        }
    ]  # fmt: skip


def test_an_attempt_that_is_not_charged_leaves_no_evidence() -> None:
    assert records.evidence_of(Outcome(claim(), "release", error="stopping")) == ""


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.text(st.characters(codec="utf-8")))
def test_any_evidence_comes_back(duration: float, lateness: float, error: str) -> None:
    (attempt,) = attempts_of(Outcome(claim(), "retry", duration, lateness, error=error)) or []
    assert attempt["duration_ms"] == pytest.approx(duration, abs=0.001)
    assert attempt["lateness_ms"] == pytest.approx(lateness, abs=0.001)
    assert attempt["error"] == error


def test_attempts_come_in_their_order_and_not_in_that_of_their_names() -> None:
    fields = ["p", "1", "c", "7", "h:10", "10 5 1 1", "h:9", "9 4 1 1", "h:11", '{"attempt":11}']
    attempts = records.whole_message("a", ["9", fields]).attempts
    assert attempts is not None
    assert [attempt["attempt"] for attempt in attempts] == [9, 10, 11]


def items(outcome: Outcome) -> list[str | int]:
    return records.settle_items([outcome], ["E"])


def test_an_outcome_as_the_script_takes_it() -> None:
    assert items(Outcome(claim(), "ack", result="{}")) == ["a", "t", "ack", "", "", "E", "{}", 1]
    assert items(Outcome(claim(), "dead", error="x")) == ["a", "t", "dead", "", "x", "E", "", 1]
    assert items(Outcome(claim(), "release")) == ["a", "t", "release", "", "", "E", "", 1]
    assert items(Outcome(claim(), "release", delay_ms=0)) == ["a", "t", "release", 0, "", "E", "", 1]
    assert items(Outcome(claim(), "retry", delay_ms=7)) == ["a", "t", "retry", 7, "", "E", "", 1]
    assert items(Outcome(claim(payload='"é"', target="ü"), "ack"))[-1] == 6


def test_a_retry_without_a_delay_is_a_defect_of_the_caller_who_has_to_decide() -> None:
    with pytest.raises(ValueError, match="the retry of message a has no delay"):
        items(Outcome(claim(), "retry"))


def test_a_message_of_the_fewest_fields() -> None:
    message = records.whole_message("a", [str(NOW), ["p", '"x"', "c", "7"]])
    assert message == Message(
        id="a", status=Status.SCHEDULED, channel="echo", payload='"x"', due_at=NOW, priority=Priority.NORMAL,
        attempt=0, created_at=7, updated_at=7, attempts=[],
    )  # fmt: skip


def test_a_message_of_all_fields() -> None:
    fields = {
        "p": "1", "c": "7", "n": "webhook", "q": "high", "t": "T", "y": "y", "w": "w", "r": "3,1.0,2.0,9.0,1",
        "s": "delivered", "d": str(NOW), "k": "", "g": "9", "a": "2", "o": "1", "l": "1", "e": "boom", "u": "8",
        "f": "10", "x": "{}", "z": "200",
    }  # fmt: skip
    assert records.message_of("a", fields["d"], fields) == Message(
        id="a", status=Status.DELIVERED, channel="webhook", payload="1", due_at=NOW, priority=Priority.HIGH, attempt=2,
        created_at=7, updated_at=10, target="T", type="y", owner="w", retry=RetryPolicy(3, 1.0, 2.0, 9.0, True),
        started_at=9, finished_at=10, last_error=None, result="{}",
    )  # fmt: skip


def test_a_row_of_a_list_takes_the_due_moment_from_the_hash_when_it_is_there() -> None:
    cells: dict[str, str | None] = dict.fromkeys(records.PAGE_FIELDS)
    scheduled = records.listed_message(["a", str(NOW), *{**cells, "p": "1", "c": "7"}.values()])
    assert (scheduled.due_at, scheduled.attempts) == (NOW, None)
    dead = records.listed_message(["a", "99", *{**cells, "p": "1", "c": "7", "s": "dead", "d": "55"}.values()])
    assert (dead.due_at, dead.status) == (55, Status.DEAD)


@pytest.mark.parametrize(
    ("moved", "scheduled_for"), [({}, NOW), ({"b": "5"}, 5), ({"m": "3"}, 3), ({"m": "3", "b": "5"}, 3)]
)
def test_the_moment_that_was_asked_for_stays(moved: dict[str, str | None], scheduled_for: int) -> None:
    message = records.message_of("a", str(NOW), {"p": "1", "c": "7", **moved})
    assert (message.due_at, message.scheduled_for) == (NOW, scheduled_for)
    cells: dict[str, str | None] = dict.fromkeys(records.PAGE_FIELDS)
    assert records.listed_message(["a", str(NOW), *{**cells, **moved}.values()]).scheduled_for == scheduled_for


@pytest.mark.parametrize("mark", ["Zk/tenant-42", "---Zktenant-42"])
def test_the_flow_key_of_a_message_of_this_version_and_of_an_earlier_one(mark: str) -> None:
    assert records.message_of("a", "5", {"p": "1", "c": "5", "F": mark}).flow_key == "tenant-42"
