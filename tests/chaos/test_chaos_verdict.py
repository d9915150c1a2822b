"""The judge of chaos runs sees every broken promise, and excuses what a fault explains."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

from scheduler.message import Message, Priority, Status
from tests.chaos.check import Stored, Verdict, judge
from tests.chaos.faults import KINDS, SENTINEL_KINDS, plan
from tests.chaos.ledger import Accepted, Delivery, Fault

DUE = 1_000_000.0
ENTRY = Accepted("m", "id", "webhook", DUE, 20, doomed=False)
FIRST = Delivery("m", DUE + 1, "webhook", 1, good=True)
SECOND = replace(FIRST, at_ms=DUE + 3000, attempt=2)
LOST = {"attempt": 1, "started_at": DUE, "outcome": "lost", "error": "stopped answering (lock s1.abc expired)"}
DONE = {"attempt": 2, "started_at": DUE + 3000, "duration_ms": 1.0, "lateness_ms": 3000.0, "outcome": "delivered"}
KILL = Fault("kill", "s1", DUE + 100, DUE + 200, DUE + 100, DUE + 200)


def message(
    status: Status = Status.DELIVERED, attempts: list[dict[str, Any]] | None = None, attempt: int = 1
) -> Message:
    return Message(
        id="id", status=status, channel="webhook", payload='"m"', due_at=int(DUE), priority=Priority.NORMAL,
        attempt=attempt, created_at=0, updated_at=0, attempts=attempts or [{**DONE, "attempt": 1, "started_at": DUE}],
    )  # fmt: skip


def verdict(
    *deliveries: Delivery,
    entry: Accepted = ENTRY,
    stored: Message | None = None,
    places: tuple[str, ...] = ("done",),
    faults: tuple[Fault, ...] = (),
) -> Verdict:
    held = stored or message()
    return judge([entry], deliveries, faults, Stored({held.id: held}, {held.id: places}))


def broken(found: Verdict) -> set[str]:
    return set(found.offences)


def test_a_run_in_which_all_went_well_has_no_offences() -> None:
    found = verdict(FIRST)
    assert broken(found) == set()
    assert (found.accepted, found.delivered, found.deliveries) == (1, 1, 1)


def test_what_redis_does_not_know_is_lost() -> None:
    found = judge([ENTRY], [], [], Stored({}, {}))
    assert broken(found) == {"lost"}


def test_delivered_in_redis_and_nowhere_else_is_lost() -> None:
    assert broken(verdict()) == {"lost"}


def test_a_millisecond_early_is_early() -> None:
    assert broken(verdict(replace(FIRST, at_ms=DUE - 1))) == {"early"}
    assert broken(verdict(FIRST, stored=message(attempts=[{**DONE, "lateness_ms": -0.5}]))) == {"early"}


def test_a_repeat_is_explained_by_a_fault_of_the_server_that_held_it_and_by_no_other() -> None:
    twice = message(attempts=[LOST, DONE], attempt=2)
    found = verdict(FIRST, SECOND, stored=twice, faults=(KILL,))
    assert broken(found) == set()
    assert found.repeats == {"kill": 1}
    assert found.recovery_ms == {"kill": [2900.0]}
    for other in (
        replace(KILL, target="s0"),
        replace(KILL, kind="script-flush", target=""),
        replace(KILL, began_ms=DUE + 60_000, ended_ms=DUE + 60_100),
    ):
        assert broken(verdict(FIRST, SECOND, stored=twice, faults=(other,))) == {"unexplained"}


def test_two_deliveries_for_one_attempt_are_found() -> None:
    found = verdict(FIRST, replace(SECOND, attempt=1), faults=(KILL,))
    assert broken(found) == {"repeated under the same attempt", "unexplained"}


def test_a_failed_attempt_needs_an_endpoint_that_misbehaved() -> None:
    failed = {**DONE, "attempt": 1, "started_at": DUE, "outcome": "failed", "error": "timeout"}
    stored = message(attempts=[failed, DONE], attempt=2)
    hang = Fault("endpoint-hang", "", DUE, DUE + 100, DUE + 100, DUE + 100)
    assert broken(verdict(SECOND, stored=stored, faults=(hang,))) == set()
    assert broken(verdict(SECOND, stored=stored, faults=(KILL,))) == {"unexplained"}


def test_what_was_never_tried_is_stuck_and_what_backs_off_is_not() -> None:
    assert broken(verdict(stored=message(Status.SCHEDULED, attempt=0), places=("due",))) == {"stuck"}
    assert broken(verdict(stored=message(Status.PROCESSING), places=("locks",))) == {"stuck"}
    assert broken(verdict(stored=message(Status.SCHEDULED), places=("due",))) == set()


def test_a_dead_letter_needs_all_its_attempts_or_a_reason_of_its_own() -> None:
    dead = message(Status.DEAD, attempt=3)
    assert broken(verdict(stored=dead, places=("dead",))) == {"given up too early"}
    assert broken(verdict(stored=dead, places=("dead",), entry=replace(ENTRY, doomed=True))) == set()


def test_an_id_in_two_places_in_none_or_in_the_wrong_one_is_found() -> None:
    for places in ((), ("done", "due"), ("dead",), ("done", "done")):
        assert broken(verdict(FIRST, places=places)) == {"not in exactly one place"}


def test_what_nobody_sent_and_what_is_stored_twice_is_found() -> None:
    stranger = replace(FIRST, label="x")
    assert broken(verdict(FIRST, stranger)) == {"delivered, and never sent"}
    twin = replace(message(), id="other")
    stored = Stored({"id": message(), "other": twin}, {"id": ["done"], "other": ["done"]})
    assert broken(judge([ENTRY], [FIRST], [], stored)) == {"stored twice, or by nobody"}


def test_a_failover_may_forget_a_delivery_and_nothing_else_may() -> None:
    again = replace(SECOND, attempt=1)
    failover = Fault("failover", "", DUE, DUE + 1500, DUE, DUE + 9000)
    found = verdict(FIRST, again, faults=(failover,))
    assert broken(found) == set()
    assert found.repeats == found.same_attempt == {"failover": 1}
    console = (replace(FIRST, attempt=None), replace(again, attempt=None))
    assert verdict(*console, faults=(failover,)).repeats == {"failover": 1}
    for other in (
        replace(failover, kind="client-kill"),
        replace(failover, began_ms=DUE + 500),  # what was delivered long before it had reached the replicas
        replace(failover, began_ms=DUE - 9000, ended_ms=DUE - 8000),
    ):
        assert broken(verdict(FIRST, again, faults=(other,))) == {"repeated under the same attempt", "unexplained"}
        assert broken(verdict(*console, faults=(other,))) == {"unexplained"}


def test_a_failover_forgets_what_was_delivered_and_not_what_comes_after_it() -> None:
    """The last delivery is the one that Redis knows of: only those before it can be forgotten."""
    late = Fault("failover", "", DUE + 2500, DUE + 3500, DUE + 2500, DUE + 3500)
    assert broken(verdict(FIRST, replace(SECOND, attempt=1), faults=(late,))) == {
        "repeated under the same attempt",
        "unexplained",
    }


def test_what_a_failover_loses_of_the_accepted_is_lost() -> None:
    failover = Fault("failover", "", DUE, DUE + 1500, DUE, DUE + 9000)
    assert broken(judge([ENTRY], [FIRST], [failover], Stored({}, {}))) == {"lost"}


def test_recovery_is_the_longest_wait_of_what_was_accepted_and_due_before_the_fault_was_over() -> None:
    failover = Fault("failover", "", DUE - 500, DUE + 1500, DUE - 500, DUE + 9500)
    began = message(attempts=[{**DONE, "attempt": 1}])
    assert verdict(SECOND, stored=began, faults=(failover,)).recovery_ms == {"failover": [3000.0]}
    later = replace(began, created_at=int(DUE) + 1000)
    assert verdict(SECOND, stored=later, faults=(failover,)).recovery_ms == {"failover": [2000.0]}
    delayed = replace(ENTRY, delay_ms=500.0)
    assert verdict(SECOND, entry=delayed, stored=later, faults=(failover,)).recovery_ms == {"failover": [1500.0]}
    assert verdict(SECOND, stored=began, faults=(failover,)).whole_ms == {"failover": [10_000.0]}


def test_the_seed_decides_the_order_and_every_fault_has_its_turn() -> None:
    for kinds in (KINDS, SENTINEL_KINDS):
        once, again, other = (
            [(step.kind.name, step.target) for step in islice(plan(seed, kinds), 100)] for seed in (7, 7, 8)
        )
        assert once == again != other
        assert {name for name, _ in once[: len(kinds)]} == {kind.name for kind in kinds}


def archived(history: dict[str, list[int]], faults: tuple[Fault, ...] = ()) -> Verdict:
    held = replace(message(), finished_at=7)
    return judge([ENTRY], [FIRST], faults, Stored({"id": held}, {"id": ("done",)}, history))


def test_a_finish_is_in_the_history_once() -> None:
    assert broken(archived({"id": [7]})) == set()
    assert broken(archived({})) == {"missing in the history"}
    assert broken(archived({"id": [7, 8]})) == {"in the history, and not so in Redis"}
    assert broken(archived({"id": [7], "other": [7]})) == {"in the history, and not so in Redis"}


def test_a_failover_may_make_redis_forget_a_finish_that_the_history_has() -> None:
    failover = Fault("failover", "", DUE, DUE + 1, DUE, DUE + 1)
    assert broken(archived({"id": [5, 7]}, (failover,))) == set()
