"""The worker pool: how much is claimed, what becomes of an attempt, what a stop leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from scheduler.channels.base import Report
from scheduler.message import Claim, Outcome, Priority, Status
from scheduler.retry import RetryPolicy
from tests.support.clock import FakeClock
from tests.support.delivery import (
    PLAIN,
    DoingChannel,
    FlakyStore,
    HeldChannel,
    MakePool,
    Pool,
    acking,
    acking_as,
    failing,
    submit,
)
from tests.support.waiting import wait_for

# -- handing over ------------------------------------------------------------------------------------------------------


def test_slices_are_as_large_as_the_channel_takes_and_of_one_lane_each(store: FlakyStore, pool: MakePool) -> None:
    seen: list[list[str]] = []

    def note(claims: Sequence[Claim], report: Report) -> None:
        seen.append([claim.channel for claim in claims])
        report([Outcome(claim, "ack") for claim in claims])

    one, many = DoingChannel(note, max_slice=1), DoingChannel(note, max_slice=4)
    one.name, many.name = "one", "many"
    p = pool(one, many)
    store.add(2, channel="one")
    store.add(10, channel="many")
    submit(store, p)
    p.idle()
    assert sorted(seen) == sorted([["one"], ["one"], ["many"] * 4, ["many"] * 4, ["many"] * 2])


def test_work_that_is_slow_holds_no_thread_of_what_is_quick(store: FlakyStore, pool: MakePool) -> None:
    """Ten jobs of eight seconds held all workers: a message that only had to be printed was 7.3 s late."""
    slow = HeldChannel(name="many")
    p = pool(slow, acking_as("quick"), threads=10)
    store.add(10, channel="many")
    submit(store, p)
    slow.wait_begun(10)
    [id] = store.add(channel="quick")
    submit(store, p)
    p.log.wait_for(f"ack id={id}")


def test_a_lane_that_is_slow_leaves_every_other_slow_lane_a_thread(store: FlakyStore, pool: MakePool) -> None:
    slow, other = HeldChannel(name="many"), HeldChannel(name="one")
    p = pool(slow, other, threads=3)
    store.add(3, channel="many")
    submit(store, p)
    slow.wait_begun(3)
    store.add(1, channel="one")
    submit(store, p)
    other.wait_begun(1)


# -- what becomes of an attempt ----------------------------------------------------------------------------------------


def test_a_delivered_message_is_settled_logged_and_counted(store: FlakyStore, pool: MakePool) -> None:
    p = pool(acking())
    ids = store.add(3)
    submit(store, p)
    p.idle()
    assert [store.message(id).status for id in ids] == [Status.DELIVERED] * 3
    assert all(p.log.count(f"ack id={id} channel=test attempt=1") == 1 for id in ids)
    assert p.counted("scheduler_attempts") == 3
    assert p.workers.finished == 3


def test_what_ends_while_it_is_handed_over_is_in_flight_no_more(
    store: FlakyStore, pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker may be through with a slice before ``submit`` returns."""
    p = pool(acking())
    threads = p.workers._pools[False]
    begin = threads.submit

    def begin_and_end(*call: Any) -> Any:
        future = begin(*call)
        future.result(15)
        return future

    monkeypatch.setattr(threads, "submit", begin_and_end)
    [id] = store.add()
    submit(store, p)
    assert store.message(id).status is Status.DELIVERED
    assert len(p.workers.in_flight) == 0


def test_a_channel_that_raises_is_a_failed_attempt_and_the_worker_lives_on(store: FlakyStore, pool: MakePool) -> None:
    calls: list[str] = []

    def fail_once(claims: Sequence[Claim], report: Report) -> None:
        calls.append(threading.current_thread().name)
        if len(calls) == 1:
            raise ConnectionResetError("the endpoint hung up")
        report([Outcome(claim, "ack") for claim in claims])

    p = pool(DoingChannel(fail_once), threads=1)
    [failed] = store.add()
    submit(store, p)
    p.idle()
    [good] = store.add()
    submit(store, p)
    p.idle()
    message = store.message(failed)
    assert message.status is Status.SCHEDULED
    assert message.last_error == "ConnectionResetError: the endpoint hung up"
    assert message.attempts
    assert message.attempts[0]["outcome"] == "failed"
    assert message.attempts[0]["error"] == message.last_error
    assert store.message(good).status is Status.DELIVERED
    assert len(set(calls)) == 1
    assert p.log.count("Traceback") == 1


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_code_that_tries_to_end_the_process_fails_its_own_attempt_only(
    store: FlakyStore, pool: MakePool, error: BaseException
) -> None:
    def leave(claims: Sequence[Claim], report: Report) -> None:
        raise error

    p = pool(DoingChannel(leave), threads=1)
    [id] = store.add()
    submit(store, p)
    p.idle()
    message = store.message(id)
    assert message.status is Status.SCHEDULED
    assert (message.last_error or "").startswith(type(error).__name__)


def test_what_was_reported_before_a_channel_raised_keeps_its_outcome(store: FlakyStore, pool: MakePool) -> None:
    def half(claims: Sequence[Claim], report: Report) -> None:
        report([Outcome(claims[0], "ack")])
        raise ValueError("the second one is odd")

    p = pool(DoingChannel(half))
    first, second = store.add(2)
    submit(store, p)
    p.idle()
    assert store.message(first).status is Status.DELIVERED
    assert store.message(second).status is Status.SCHEDULED
    assert not p.log.count("lock lost")


def delays(store: FlakyStore, clock: FakeClock, p: Pool, id: str) -> list[int]:
    """Attempt after attempt until the message is dead: ms from each failure to the next due moment."""
    found: list[int] = []
    while True:
        assert len(found) < 10, "it goes on for ever"
        submit(store, p, [id])
        p.idle()
        message = store.message(id)
        if message.status is not Status.SCHEDULED:
            return found
        found.append(message.due_at - clock.now_ms())
        clock.advance(found[-1] / 1000)


def test_backoff_grows_to_its_cap_and_the_last_attempt_leaves_a_dead_letter_with_evidence_of_all(
    store: FlakyStore, clock: FakeClock, pool: MakePool
) -> None:
    p = pool(failing())
    [id] = store.add()
    assert delays(store, clock, p, id) == [1000, 2000, 4000, 5000]
    message = store.message(id)
    assert message.status is Status.DEAD
    assert message.attempts
    assert [attempt["attempt"] for attempt in message.attempts] == [1, 2, 3, 4, 5]
    assert {attempt["error"] for attempt in message.attempts} == {"no luck"}
    assert p.log.count(f"dead id={id}") == 1
    assert p.log.count(f"retry id={id}") == 4
    assert p.workers.finished == 1


def test_jitter_spreads_messages_that_failed_together_over_the_whole_backoff(
    store: FlakyStore, clock: FakeClock, pool: MakePool
) -> None:
    p = pool(failing(), retry=RetryPolicy(base=10.0, jitter=True))
    ids = store.add(200)
    submit(store, p)
    p.idle()
    waits = [store.message(id).due_at - clock.now_ms() for id in ids]
    assert all(0 <= wait <= 10_000 for wait in waits)
    assert min(waits) < 1_500
    assert max(waits) > 8_500
    assert len(set(waits)) > 150


def test_a_message_s_own_policy_wins_over_the_settings(store: FlakyStore, clock: FakeClock, pool: MakePool) -> None:
    p = pool(failing())
    [id] = store.add(retry=RetryPolicy(max_attempts=2, base=0.5, jitter=False))
    assert delays(store, clock, p, id) == [500]


def test_a_policy_without_limit_never_gives_up(store: FlakyStore, clock: FakeClock, pool: MakePool) -> None:
    p = pool(failing(), retry=RetryPolicy(max_attempts=-1, base=1.0, cap=1.0, jitter=False))
    [id] = store.add()
    for _ in range(30):
        submit(store, p, [id])
        p.idle()
        clock.advance(1)
    message = store.message(id)
    assert message.status is Status.SCHEDULED
    assert message.attempt == 30
    assert len(message.attempts or []) == 20


def test_a_channel_may_say_itself_when_to_try_again(store: FlakyStore, clock: FakeClock, pool: MakePool) -> None:
    p = pool(failing(delay_ms=7_000))
    [id] = store.add(retry=RetryPolicy(max_attempts=2))
    assert delays(store, clock, p, id) == [7_000]


@pytest.mark.parametrize(("channel", "shown"), [("echo", False), ("webhook", True), ("job", True)])
def test_the_console_may_show_attempts_but_of_what_it_has_printed_itself(
    store: FlakyStore, pool: MakePool, monkeypatch: pytest.MonkeyPatch, channel: str, shown: bool
) -> None:
    said: list[bool] = []
    p = pool(HeldChannel(name=channel))
    monkeypatch.setattr(p.workers._log, "lines", lambda _, *, attempts=False: said.append(attempts))
    claim = Claim("a", "t", 1, 0, channel, "1", None, None, None, Priority.NORMAL, 0, 0, channel)
    p.workers._report([Outcome(claim, "ack")])
    assert said == [shown]


# -- what hangs --------------------------------------------------------------------------------------------------------


def test_a_console_that_takes_nothing_any_more_is_a_failure_and_a_long_job_is_none(
    store: FlakyStore, pool: MakePool, clock: FakeClock
) -> None:
    """Health stayed green while all workers hung in a blocked stdout."""
    held, job = HeldChannel(name="echo", slow=False), HeldChannel(name="quick")
    p = pool(held, job, threads=4)
    store.add(2, channel="quick")
    submit(store, p)
    job.wait_begun(2)
    clock.advance(3600)
    assert (p.workers.failure(), p.workers.deliveries.working()) == (None, ["quick"])
    store.add(1, channel="echo")
    submit(store, p)
    held.wait_begun(1)
    clock.advance(42)
    assert p.workers.failure() == "channel echo: a delivery hangs, and has not returned for 42 s"
    held.let_go()
    wait_for("the console to take it", lambda: p.workers.failure() is None)


def test_what_is_given_back_is_not_told_line_by_line(store: FlakyStore, pool: MakePool) -> None:
    def put_off(claims: Sequence[Claim], report: Report) -> None:
        report([Outcome(claim, "release", delay_ms=1000, destination="slow.example:443") for claim in claims])

    p = pool(DoingChannel(put_off, max_slice=100))
    store.add(50)
    submit(store, p)
    p.idle()
    assert p.log.count("release") == 0
    (released,) = p.telemetry.take_released().values()
    assert released.n == 50


def test_the_default_policy_of_these_tests_has_no_chance_in_it() -> None:
    assert [PLAIN.delay_ms(attempt) for attempt in (1, 2, 3, 4)] == [1000, 2000, 4000, 5000]
