"""What every verb promises, on every backend and with one partition or several: messages in flight, retention, who is
alive.
"""

from __future__ import annotations

import pytest

from scheduler.errors import NotFound
from scheduler.message import Claim, Outcome, Priority, Status
from scheduler.retry import RetryPolicy
from scheduler.store import Limits, MessageStore, Reaped
from scheduler.store.budgets import Budget, Wanted
from tests.support.store import NOW, Ticks, message, outcomes, store_on, take

MANY = [f"id{n:02}" for n in range(20)]
"""Ids in every one of three partitions."""

LOOSE = Limits(10**6, 10**12, 10**12)


def claim(store: MessageStore, limit: int = 100, lock_ms: int = 1000) -> list[Claim]:
    return take(store, limit, lock_ms).claims


def test_a_claim_is_all_that_a_channel_needs(store: MessageStore) -> None:
    policy = RetryPolicy(3, 1.0, 2.0, 9.0, False)
    store.schedule(
        [message("a", NOW - 2, channel="webhook", target="T", type="y", retry=policy, priority=Priority.LOW)]
    )
    claimed = take(store, 10, 1000, owner="me")
    (one,) = claimed.claims
    assert one == Claim(
        "a", one.token, 1, NOW - 2, "webhook", '"a"', "T", "y", policy, Priority.LOW, NOW, store.partition_of("a"),
        "webhook",
    )  # fmt: skip
    assert one.token.startswith("me.")
    assert (claimed.wait_ms, claimed.redis_ms) == (None, NOW)
    running = store.get("a")
    assert (running.status, running.attempt, running.started_at) == (Status.PROCESSING, 1, NOW)


def test_the_trace_of_the_request_is_told_at_each_attempt(store: MessageStore) -> None:
    store.schedule([message(id, trace=f"trace of {id}" if id != "id00" else None) for id in MANY])
    for _ in range(2):
        claimed = take(store, 100, 1000)
        assert {one.id: one.trace for one in claimed.claims} == {
            id: f"trace of {id}" if id != "id00" else None for id in MANY
        }
        store.settle(outcomes(claimed, "retry", delay_ms=0))


def test_the_wait_is_for_the_earliest_of_all_partitions(store: MessageStore) -> None:
    assert take(store, 10, 1000).wait_ms is None
    store.schedule([message(id, NOW + 50 + n) for n, id in enumerate(MANY)])
    assert take(store, 10, 1000).wait_ms == 50


def test_never_one_millisecond_early(store: MessageStore, ticks: Ticks, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where the test stands still for 3 ms between two partitions, the next moment is later than the one after it.
    monkeypatch.setattr(store, "monotonic", lambda: 0.0)
    store.schedule([message(id, NOW + n) for n, id in enumerate(MANY)])
    found: list[str] = []
    while len(found) < len(MANY):
        claimed = take(store, 100, 60_000)
        assert [one.due_at for one in claimed.claims] == [ticks.now]
        found += [one.id for one in claimed.claims]
        assert claimed.wait_ms == (1 if len(found) < len(MANY) else None)
        ticks.now += 1
    assert found == MANY


def test_the_limit_holds_over_all_partitions_and_0_says_that_more_is_due(store: MessageStore) -> None:
    store.schedule([message(id) for id in MANY])
    claimed = take(store, 7, 1000)
    assert (len(claimed.claims), claimed.wait_ms) == (7, 0)
    claimed = take(store, 13, 1000)
    assert len(claimed.claims) == 13
    assert claim(store) == []


def test_a_shared_thread_is_filled_from_all_partitions(store: MessageStore) -> None:
    """One partition gave less than a thread carries, and the others found no thread free."""
    store.schedule([message(id) for id in MANY])
    wanted = Wanted([Budget("echo", 30, 0, len(MANY))], shared=1)
    assert len(store.claim(wanted, 100, 1000, "me").claims) == len(MANY)


def test_no_partition_waits_for_the_others_to_run_dry(store: MessageStore, partitions: int) -> None:
    store.schedule([message(id) for id in MANY])
    first = [claim(store, 1)[0].partition for _ in range(partitions)]
    assert sorted(first) == list(range(partitions))


def test_no_token_is_given_twice(store: MessageStore) -> None:
    store.schedule([message(id) for id in MANY])
    tokens = [claim(store, 1)[0].token for _ in MANY]
    assert len(set(tokens)) == len(MANY)


def test_a_group_of_outcomes_over_all_partitions_is_answered_in_order(store: MessageStore) -> None:
    store.schedule([message(id) for id in MANY])
    claims = sorted(claim(store), key=lambda one: one.id)
    group = [Outcome(one._replace(token="stale") if n % 3 == 0 else one, "ack") for n, one in enumerate(claims)]
    assert store.settle(group) == [n % 3 != 0 for n in range(20)]
    assert store.settle([Outcome(one, "ack") for one in claims]) == [n % 3 == 0 for n in range(20)]
    assert store.settle([]) == []
    counts = store.counts()
    assert (counts.finished, counts.processing) == (20, 0)


def test_the_evidence_of_each_attempt_comes_back(store: MessageStore, ticks: Ticks) -> None:
    store.schedule([message("a")])
    store.settle(outcomes(take(store, 1, 1000), "retry", delay_ms=5, duration_ms=12.5, lateness_ms=3, error="503"))
    waiting = store.get("a")
    assert (waiting.status, waiting.due_at, waiting.last_error) == (Status.SCHEDULED, NOW + 5, "503")
    assert store.counts().retrying == 1
    ticks.now += 5
    store.settle(outcomes(take(store, 1, 1000), "ack", duration_ms=1, result='{"x":1}'))
    done = store.get("a")
    assert (done.status, done.attempt, done.finished_at, done.result) == (Status.DELIVERED, 2, NOW + 5, '{"x":1}')
    assert done.attempts == [
        {
            "attempt": 1, "started_at": NOW + 3, "duration_ms": 12.5, "lateness_ms": 3.0, "outcome": "failed",
            "error": "503",
        },
        {"attempt": 2, "started_at": NOW + 5, "duration_ms": 1.0, "lateness_ms": 0.0, "outcome": "delivered"},
    ]  # fmt: skip


def test_a_retry_without_a_delay_is_refused_and_changes_nothing(store: MessageStore) -> None:
    store.schedule([message("a", retry=RetryPolicy(base=7.0, jitter=False))])
    (one,) = claim(store)
    with pytest.raises(ValueError, match="has no delay"):
        store.settle([Outcome(one, "retry")])
    assert store.get("a").status is Status.PROCESSING
    store.settle([Outcome(one, "retry", delay_ms=7000)])
    assert store.get("a").due_at == NOW + 7000


def test_a_release_is_not_charged(store: MessageStore) -> None:
    store.schedule([message("a")])
    for _ in range(9):
        (one,) = claim(store)
        assert one.attempt == 1
        store.settle([Outcome(one, "release")])
    assert store.get("a").attempts == []


def test_renew_gives_back_what_was_lost(store: MessageStore, ticks: Ticks) -> None:
    store.schedule([message(id) for id in MANY])
    claims = sorted(claim(store), key=lambda one: one.id)
    store.settle([Outcome(claims[3], "ack")])
    stale = claims[5]._replace(token="stale")
    lost = store.renew([*claims[:5], stale, *claims[5:]], 9000)
    assert sorted(one.id for one in lost) == [claims[3].id, stale.id]
    assert {one.token for one in lost} == {claims[3].token, "stale"}
    ticks.now += 8999
    assert store.reap(100) == Reaped(0, 0)
    ticks.now += 1
    assert store.reap(100) == Reaped(19, 0)
    assert store.renew([], 1000) == []


def test_thousands_of_locks_are_renewed(store: MessageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.store.claiming.SCAN", 10)
    many = [f"m{n}" for n in range(95)]
    store.schedule([message(id) for id in many])
    claims = claim(store, 95)
    stale = [one._replace(token="stale") if one.id.endswith("7") else one for one in claims]
    assert sorted(one.id for one in store.renew(stale, 1000)) == sorted(id for id in many if id.endswith("7"))


def test_a_reaped_message_runs_again_with_a_higher_attempt_and_its_old_owner_is_refused(
    store: MessageStore, ticks: Ticks
) -> None:
    store.schedule([message("a", NOW - 3)])
    (old,) = claim(store)
    assert store.reap(10) == Reaped(0, 0)
    ticks.now += 1000
    assert store.reap(10) == Reaped(1, 0)
    (new,) = claim(store)
    assert (new.attempt, new.due_at) == (2, NOW - 3)
    assert store.settle([Outcome(old, "ack"), Outcome(new, "ack")]) == [False, True]
    assert [a["outcome"] for a in store.get("a").attempts or []] == ["lost", "delivered"]


@pytest.mark.parametrize(("allowed", "expected"), [(1, 1), (3, 3), (-1, 5)])
def test_what_kills_its_process_again_and_again_ends_as_a_dead_letter(
    store: MessageStore, ticks: Ticks, allowed: int, expected: int, partitions: int
) -> None:
    strict = store_on(store.client, ticks, partitions=partitions, default_retry=RetryPolicy(max_attempts=allowed))
    store.schedule([message("a")])
    attempts = 0
    while claim(store):
        attempts += 1
        ticks.now += 1000
        strict.reap(10)
    assert attempts == expected
    letter = store.get("a")
    assert (letter.status, letter.attempt) == (Status.DEAD, expected)
    assert "the server that held it stopped answering" in (letter.last_error or "")


def test_retention_of_each_set_by_its_own_limits(store: MessageStore, ticks: Ticks, partitions: int) -> None:
    for n, id in enumerate(MANY):
        ticks.now = NOW + n
        store.schedule([message(id, 1)])
        store.settle(outcomes(take(store, 1, 1000), "ack" if n % 2 else "dead"))
    assert store.trim("done", LOOSE, 100) == store.trim("dead", LOOSE, 100) == 0
    assert store.trim("done", Limits(10**6, 10, 10**12), 100) == 5
    with pytest.raises(NotFound):
        store.get(MANY[9])
    assert store.counts().finished == 5
    assert store.trim("dead", Limits(0, 10**12, 10**12), 100) == 10
    assert (store.counts().dead, store.counts().finished) == (0, 5)
    assert store.trim("done", Limits(10**6, 10**12, 0), 1) == min(partitions, 5), "a limit is per partition"


def test_the_limits_are_shared_by_the_partitions(store: MessageStore, partitions: int) -> None:
    store.schedule([message(f"m{n}") for n in range(90)])
    store.settle(outcomes(take(store, 90, 1000)))
    store.trim("done", Limits(9, 10**12, 10**12), 1000)
    assert store.counts().finished == 9
    store.trim("done", Limits(10**6, 10**12, 0), 1000)
    assert (store.counts().finished, store.counts().finished_bytes) == (0, 0)


def test_who_is_alive(store: MessageStore, ticks: Ticks) -> None:
    assert (store.servers(), store.history()) == ({}, {})
    store.beat("one", {"role": "all"}, [[NOW, 1, 0, 0, {}]])
    ticks.now += 400
    store.beat("two", {"role": "api"})
    store.beat("two", {"role": "worker"})
    assert store.servers() == {"one": {"role": "all", "age_ms": 400}, "two": {"role": "worker", "age_ms": 0}}
    assert store.history() == {"one": [[NOW, 1, 0, 0, {}]]}
    store.leave("two")
    assert list(store.servers()) == ["one"]
    ticks.now = NOW + 900
    store.delete_old_servers(900)
    assert list(store.servers()) == list(store.history()) == ["one"]
    ticks.now += 1
    store.delete_old_servers(900)
    assert (store.servers(), store.history()) == ({}, {})


def test_ping(store: MessageStore) -> None:
    store.ping()
