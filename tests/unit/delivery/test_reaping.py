"""Messages of a server that stopped answering are taken back, and no others."""

from __future__ import annotations

import pytest

from scheduler.clock import RedisTime
from scheduler.delivery import reaping
from scheduler.delivery.reaping import Reaper
from scheduler.errors import StoreUnavailable
from scheduler.logs.sinks import adapt
from scheduler.message import Outcome, Status
from scheduler.retry import RetryPolicy
from scheduler.store import Reaped
from scheduler.telemetry.figures import Telemetry
from tests.support.clock import FakeClock
from tests.support.delivery import LOCK_MS, FlakyStore, counters
from tests.support.logger import RecordingLogger

LOCK = LOCK_MS / 1000


@pytest.fixture
def reaper(store: FlakyStore, clock: FakeClock, log: RecordingLogger, telemetry: Telemetry) -> Reaper:
    time = RedisTime(clock)
    time.synchronise(clock.now_ms())
    return Reaper(store, every=1, lock_seconds=LOCK, clock=clock, redis_time=time, log=adapt(log), telemetry=telemetry)


@pytest.mark.parametrize("overdue", [True, False])
def test_it_wakes_the_planner_for_an_overdue_schedule(
    store: FlakyStore, reaper: Reaper, monkeypatch: pytest.MonkeyPatch, overdue: bool
) -> None:
    woken: list[bool] = []
    monkeypatch.setattr(reaper, "_plan", lambda: woken.append(True))
    monkeypatch.setattr(store, "reap", lambda *_: Reaped(0, 0, overdue=overdue))
    reaper.tick()
    assert woken == [True] * overdue


def crash_with_everything_due(store: FlakyStore, clock: FakeClock) -> int:
    """A server claims what is due and is never heard of again; how many it held."""
    held = len(store.claim_all("doomed"))
    clock.advance(LOCK + 0.001)
    return held


def ticks(reaper: Reaper, clock: FakeClock) -> None:
    """Let somewhat more than a lock's life pass, in steps."""
    for _ in range(6):
        reaper.tick()
        clock.advance(LOCK / 4)


def test_the_messages_of_a_dead_server_are_returned(
    store: FlakyStore, clock: FakeClock, reaper: Reaper, log: RecordingLogger, telemetry: Telemetry
) -> None:
    ids = store.add(3)
    crash_with_everything_due(store, clock)
    assert reaper.tick() == 1
    assert {store.message(id).status for id in ids} == {Status.SCHEDULED}
    assert [claim.attempt for claim in store.claim_all()] == [2, 2, 2], "whoever crashed may have delivered"
    assert log.errors == ["reaped 3 messages of a server that stopped answering: now scheduled"]
    assert counters(telemetry) == {"scheduler_reaped scheduled": 3}


@pytest.mark.parametrize("policy", [None, RetryPolicy(max_attempts=5), RetryPolicy(max_attempts=-1)])
def test_a_message_that_kills_its_process_again_and_again_ends_as_a_dead_letter_with_evidence(
    store: FlakyStore, clock: FakeClock, reaper: Reaper, log: RecordingLogger, policy: RetryPolicy | None
) -> None:
    [id] = store.add(retry=policy)
    deaths = 0
    while crash_with_everything_due(store, clock):
        deaths += 1
        assert deaths < 20, "it goes on for ever"
        ticks(reaper, clock)
    message = store.message(id)
    assert deaths == 5
    assert message.status is Status.DEAD
    assert message.attempts
    assert [(attempt["attempt"], attempt["outcome"]) for attempt in message.attempts] == [
        (n, "lost") for n in range(1, 6)
    ]
    assert "stopped answering" in (message.last_error or "")
    assert log.count("now dead") == 1


def test_after_an_outage_owners_get_a_lock_s_life_to_come_back(
    store: FlakyStore, clock: FakeClock, reaper: Reaper
) -> None:
    """Locks expired while Redis was away, and who holds them is alive: reaping at once would deliver them twice."""
    [id] = store.add()
    [claim] = store.claim_all("alive")
    store.away = True
    clock.advance(LOCK * 3)
    with pytest.raises(StoreUnavailable):
        reaper.tick()
    store.away = False
    reaper.tick()
    assert store.settle([Outcome(claim, "ack")]) == [True]
    assert store.message(id).status is Status.DELIVERED


def test_a_call_that_redis_held_up_reaps_nothing(
    store: FlakyStore, clock: FakeClock, log: RecordingLogger, telemetry: Telemetry
) -> None:
    """CLIENT PAUSE: the call is carried out when locks have expired whose owners' renewals were held up like it."""
    [id] = store.add()
    [claim] = store.claim_all("alive")
    time = RedisTime(clock)
    reaper = Reaper(
        store, every=1, lock_seconds=LOCK, clock=clock, redis_time=time, log=adapt(log), telemetry=telemetry
    )
    clock.advance(LOCK * 2)
    time.synchronise(clock.now_ms() - LOCK_MS)
    with pytest.raises(StoreUnavailable, match="late"):
        reaper.tick()
    time.synchronise(clock.now_ms())
    reaper.tick()
    assert store.settle([Outcome(claim, "ack")]) == [True]
    assert store.message(id).status is Status.DELIVERED


def test_a_reaper_that_comes_much_too_late_gives_owners_a_lock_s_life_too(
    store: FlakyStore, clock: FakeClock, reaper: Reaper
) -> None:
    """Redis was stalled while another chore of the same thread waited for it: this one saw nothing of it."""
    [id] = store.add()
    reaper.tick()
    [claim] = store.claim_all("alive")
    clock.advance(LOCK * 2)
    reaper.tick()
    assert store.settle([Outcome(claim, "ack")]) == [True]
    assert store.message(id).status is Status.DELIVERED


def test_after_that_the_dead_are_reaped(store: FlakyStore, clock: FakeClock, reaper: Reaper) -> None:
    [id] = store.add()
    store.claim_all("doomed")
    store.away = True
    with pytest.raises(StoreUnavailable):
        reaper.tick()
    store.away = False
    clock.advance(LOCK / 4)
    reaper.tick()
    assert store.message(id).status is Status.PROCESSING
    ticks(reaper, clock)
    assert store.message(id).status is Status.SCHEDULED


def test_an_outage_that_goes_on_extends_the_respite(store: FlakyStore, clock: FakeClock, reaper: Reaper) -> None:
    store.away = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            reaper.tick()
        clock.advance(LOCK - 0.001)
    store.away = False
    store.calls.clear()
    reaper.tick()
    assert "reap" not in store.calls


def test_a_large_crash_is_reaped_in_bounded_bites_without_a_pause(
    store: FlakyStore, clock: FakeClock, reaper: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaping, "LIMIT", 4)
    store.add(10)
    crash_with_everything_due(store, clock)
    assert [reaper.tick() for _ in range(3)] == [0, 0, 1]
    assert store.counts().processing == 0
