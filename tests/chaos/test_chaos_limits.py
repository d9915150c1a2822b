"""The judge of flow keys sees one attempt too many, an order that was not kept, and what waits for ever."""

from __future__ import annotations

import random
from dataclasses import replace

from scheduler.message import Message, Priority, Status
from tests.chaos.ledger import Accepted, Delivery
from tests.chaos.limits import KEYS, SHARE, Keyed, Limits, Step, ask, judge_limits

Ran = tuple[str, int, float, float]
"""id, attempt, begin and end (ms) as the other side saw them"""


def message(id: str, status: Status = Status.DELIVERED, attempt: int = 1, at: int = 0, finished: int = 99) -> Message:
    return Message(
        id=id, status=status, channel="webhook", payload='""', due_at=at, priority=Priority.NORMAL, attempt=attempt,
        created_at=at, updated_at=0, attempts=[], finished_at=finished,
    )  # fmt: skip


def judged(key: str, runs: list[Ran], steps: list[Step], *messages: Message, left: tuple[str, ...] = ()) -> Limits:
    """All messages are at this key, and numbered in their order."""
    accepted = [Accepted(m.id, m.id, "webhook", 0, 20, doomed=False, flow=key) for m in messages]
    deliveries = [Delivery(id, at, "webhook", attempt, good=True, ended_ms=end) for id, attempt, at, end in runs]
    place = {m.id: (m.created_at, number) for number, m in enumerate(messages)}
    return judge_limits(accepted, deliveries, {m.id: m for m in messages}, Keyed(place, steps, left))


def broken(*given: object, **more: object) -> set[str]:
    return set(judged(*given, **more).offences)  # type: ignore[arg-type]


def served(id: str, claimed: int, ended: int, attempt: int = 1, name: str = "delivered") -> list[Step]:
    return [Step(claimed, "claimed", id, attempt), Step(ended, name, id, attempt)]


def by_time(*steps: list[Step]) -> list[Step]:
    return sorted((step for some in steps for step in some), key=lambda step: step.at_ms)


A, B, C = message("a"), message("b"), message("c")


def test_one_after_the_other_is_well() -> None:
    found = judged("line", [("a", 1, 1, 9), ("b", 1, 11, 19)], [*served("a", 0, 10), *served("b", 10, 20)], A, B)
    assert not found.offences
    assert (found.keys["line"].locked, found.keys["line"].seen, found.keys["line"].attempts) == (1, 1, 2)


def test_one_more_than_allowed_is_found_by_what_redis_wrote_and_by_what_the_other_side_saw() -> None:
    steps = by_time(served("a", 0, 30), served("b", 5, 30), served("c", 6, 30))
    runs = [("a", 1, 1.0, 29.0), ("b", 1, 6.0, 29.0), ("c", 1, 7.0, 29.0)]
    assert broken("pair", runs, steps, A, B, C) == {
        "more in flight than a flow key allows",
        "more attempts at once than a flow key allows",
    }
    assert not broken("pair", runs[:2], [step for step in steps if step.id != "c"], A, B)


def test_an_attempt_goes_on_beside_the_next_only_after_its_lock_was_taken_back() -> None:
    again = replace(A, attempt=2)
    lost = [*served("a", 0, 50, name="reaped"), *served("a", 60, 70, attempt=2), *served("b", 71, 80)]
    runs = [("a", 1, 1.0, 75.0), ("a", 2, 61.0, 69.0), ("b", 1, 72.0, 79.0)]
    found = judged("line", runs, lost, again, B)
    assert not found.offences
    assert found.keys["line"].overlapping == 1
    early = [
        step._replace(at_ms=40) if (step.id, step.attempt, step.name) == ("a", 2, "claimed") else step for step in lost
    ]
    by_redis = judged("line", [("a", 1, 1.0, 75.0), ("a", 2, 41.0, 69.0)], early, again)
    assert "more attempts at once than a flow key allows" in by_redis.offences


def test_a_slot_that_is_free_before_the_attempt_is_over_is_found() -> None:
    assert broken("pair", [("a", 1, 1, 20)], served("a", 0, 10), A) == {"a slot was free before its attempt was over"}
    assert broken("pair", [("a", 1, 1, 9), ("a", 2, 12, 13)], served("a", 0, 10), A) == {"an attempt that had no slot"}


def test_a_retry_that_is_overtaken_is_found() -> None:
    first = replace(A, attempt=2)
    steps = [*served("a", 0, 10, name="retried"), *served("b", 11, 20), *served("a", 30, 40, attempt=2)]
    runs = [("a", 1, 1.0, 9.0), ("b", 1, 12.0, 19.0), ("a", 2, 31.0, 39.0)]
    assert broken("line", runs, steps, first, B) == {"out of order"}
    assert not broken("pair", runs, steps, first, B)


def test_order_is_by_moment_and_number_among_those_that_were_there() -> None:
    steps = [*served("b", 10, 20), *served("a", 21, 30)]
    runs = [("b", 1, 11.0, 19.0), ("a", 1, 22.0, 29.0)]
    assert broken("line", runs, steps, A, B) == {"out of order"}
    came_later = message("a", at=15)
    assert not judge_limits(
        [Accepted(id, id, "webhook", 0, 20, doomed=False, flow="line") for id in "ab"],
        [Delivery(id, at, "webhook", n, good=True, ended_ms=end) for id, n, at, end in runs],
        {"a": came_later, "b": B},
        Keyed({"a": (0, 2), "b": (0, 1)}, steps),
    ).offences


def test_what_died_without_being_seen_has_its_place_in_the_order() -> None:
    dead = message("a", Status.DEAD, finished=10)
    steps = [*served("a", 0, 10, name="dead"), *served("b", 11, 20)]
    assert not broken("line", [("b", 1, 12, 19)], steps, dead, B)
    assert broken("line", [("b", 1, 8, 19)], by_time(steps[:2], served("b", 7, 20)), dead, B) >= {"out of order"}


def attempts_at(*moments: int, key: str = "quota") -> Limits:
    ids = [f"m{n}" for n in range(len(moments))]
    steps = [step for id, at in zip(ids, moments, strict=True) for step in served(id, at, at)]
    return judged(key, [], steps, *map(message, ids))


def test_a_window_has_no_attempt_too_many() -> None:
    full = attempts_at(*range(6), *range(2000, 2006), 4000)
    assert not full.offences
    assert full.keys["quota"].window == 6
    assert set(attempts_at(*range(6), 1999).offences) == {"more began in a window than a flow key allows"}
    late = attempts_at(*range(6), *range(2500, 2506), 3999)
    assert set(late.offences) == {"more began in a window than a flow key allows"}, "windows follow each other"
    assert not attempts_at(*range(6), *range(2500, 2506), 4000).offences


def test_what_was_given_back_leaves_room_in_its_window() -> None:
    begun = [step for n in range(6) for step in served(f"m{n}", n, 6, name="released" if n == 5 else "delivered")]
    again = [*begun, *served("m5", 100, 110)]
    messages = [message(f"m{n}") for n in range(7)]
    assert not broken("quota", [], again, *messages[:6])
    assert broken("quota", [], [*again, *served("m6", 120, 130)], *messages) == {
        "more began in a window than a flow key allows"
    }


def test_what_is_left_is_found() -> None:
    waiting = message("a", Status.SCHEDULED)
    assert broken("pair", [], [], waiting) == {"left waiting at a flow key"}
    assert broken("pair", [], [], left=("pair",)) == {"a flow key that nothing uses is left"}


def test_some_messages_have_a_key_and_say_what_it_allows() -> None:
    rng = random.Random(1)
    asked = [ask(f"m{n}", rng) for n in range(1000)]
    keys = [flow["flow"]["key"] for _, flow in asked if flow]
    assert 0.8 * SHARE < len(keys) / 1000 < 1.2 * SHARE
    assert set(keys) == set(KEYS)
    assert all(label.endswith(f"@{flow['flow']['key']}") for label, flow in asked if flow)
    quota = next(flow for _, flow in asked if flow and flow["flow"]["key"] == "all")
    assert quota == {"flow": {"key": "all", "concurrency": 2, "rate": 4, "period": 1.0, "ordered": True}}
