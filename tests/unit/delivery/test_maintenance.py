"""The chores beside delivery: renew, reap, forget, report, and the thread that does them in turn."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from scheduler.clock import RedisTime
from scheduler.delivery import reaping, retention
from scheduler.delivery.heartbeat import Heartbeat
from scheduler.delivery.in_flight import InFlight
from scheduler.delivery.maintenance import Maintenance
from scheduler.delivery.reaping import Reaper
from scheduler.delivery.renewal import Renewer, renewal, renewal_timeout
from scheduler.delivery.retention import Retention
from scheduler.errors import StoreUnavailable
from scheduler.logs.sinks import adapt
from scheduler.message import Claim, Outcome, Status
from scheduler.retry import RetryPolicy
from scheduler.store import Limits
from scheduler.telemetry.figures import Telemetry
from tests.support.clock import FakeClock
from tests.support.delivery import LOCK_MS, FlakyStore
from tests.support.logger import RecordingLogger
from tests.support.store import take

LOCK = LOCK_MS / 1000


@pytest.fixture
def store(clock: FakeClock) -> FlakyStore:
    return FlakyStore(clock)


@pytest.fixture
def log() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def telemetry(clock: FakeClock) -> Telemetry:
    return Telemetry(clock)


def counters(telemetry: Telemetry) -> dict[str, int]:
    """Counters by name and label values: ``scheduler_reaped dead``."""
    return {" ".join([name, *(v for _, v in labels)]): n for name, labels, n in telemetry.snapshot()["counters"]}


# -- renew -------------------------------------------------------------------------------------------------------------


class Holder:
    """A process that holds claims and renews them."""

    def __init__(self, store: FlakyStore, log: RecordingLogger, telemetry: Telemetry) -> None:
        self.store = store
        self.in_flight = InFlight()
        self.renewer = Renewer(store, self.in_flight, LOCK, adapt(log), telemetry)

    def claim(self, count: int = 1) -> list[Claim]:
        self.store.add(count)
        claims = take(self.store, count, LOCK_MS, "me").claims
        self.in_flight.add(claims)
        return claims


@pytest.fixture
def holder(store: FlakyStore, log: RecordingLogger, telemetry: Telemetry) -> Holder:
    return Holder(store, log, telemetry)


def test_a_delivery_longer_than_a_lock_s_life_keeps_its_lock_by_renewal(holder: Holder, clock: FakeClock) -> None:
    [claim] = holder.claim()
    for _ in range(12):
        clock.advance(holder.renewer.tick())
        assert holder.store.reap(10).scheduled == 0
    assert holder.store.message(claim.id).attempt == 1
    assert holder.store.settle([Outcome(claim, "ack")]) == [True]


def test_without_renewal_it_would_not(holder: Holder, clock: FakeClock) -> None:
    holder.claim()
    clock.advance(LOCK + 0.001)
    assert holder.store.reap(10).scheduled == 1


def test_two_renewals_may_fail_before_a_lock_expires(holder: Holder, clock: FakeClock) -> None:
    holder.claim()
    pause = holder.renewer.tick()
    assert pause == pytest.approx(LOCK / 3)
    for _ in range(2):
        clock.advance(pause)
        holder.store.away = True
        with pytest.raises(StoreUnavailable):
            holder.renewer.tick()
        holder.store.away = False
    assert holder.store.reap(10).scheduled == 0
    clock.advance(pause - 0.001)
    holder.renewer.tick()
    clock.advance(LOCK - 0.001)
    assert holder.store.reap(10).scheduled == 0


@pytest.mark.parametrize("socket_timeout", [0.1, 5.0])
def test_a_renewal_that_hangs_is_followed_by_another_before_a_lock_expires(
    holder: Holder, clock: FakeClock, log: RecordingLogger, socket_timeout: float
) -> None:
    [claim] = holder.claim()
    thread = renewal(holder.renewer, LOCK, clock, adapt(log))
    clock.advance(thread.run(holder.renewer))
    holder.store.before = lambda _: clock.advance(renewal_timeout(socket_timeout, LOCK))
    holder.store.away = True
    clock.advance(thread.run(holder.renewer))
    holder.store.before = lambda _: None
    holder.store.away = False
    assert holder.store.reap(10).scheduled == 0, "the lock has expired before the second one"
    thread.run(holder.renewer)
    clock.advance(LOCK - 0.001)
    assert holder.store.reap(10).scheduled == 0
    assert holder.store.settle([Outcome(claim, "ack")]) == [True]


def test_an_idle_process_renews_nothing(holder: Holder) -> None:
    holder.store.calls.clear()
    holder.renewer.tick()
    assert holder.store.calls == []


def test_a_lock_that_was_lost_is_given_up_at_the_second_refusal(
    holder: Holder, clock: FakeClock, log: RecordingLogger, telemetry: Telemetry
) -> None:
    [lost, kept] = holder.claim(2)
    holder.store.settle([Outcome(lost, "release")])  # as a reaper elsewhere would
    holder.renewer.tick()
    assert holder.in_flight.holds(lost)
    assert log.errors == []
    clock.advance(holder.renewer.tick())
    assert not holder.in_flight.holds(lost)
    assert holder.in_flight.holds(kept)
    assert log.errors == [f"lock lost id={lost.id} channel=test attempt=1"]
    assert counters(telemetry) == {"scheduler_locks_lost": 1}


def test_a_message_that_is_settled_between_two_renewals_lost_nothing(holder: Holder, log: RecordingLogger) -> None:
    """Its settling and a renewal crossed: refused once, then no longer in flight."""
    [claim] = holder.claim()
    holder.store.settle([Outcome(claim, "ack")])
    holder.renewer.tick()
    holder.in_flight.remove([claim])
    holder.renewer.tick()
    assert log.errors == []


def test_a_message_claimed_again_is_not_taken_for_the_one_that_was_refused(
    holder: Holder, log: RecordingLogger
) -> None:
    """Refused under its old token, then once under its new one because its settling crossed the renewal."""
    [first] = holder.claim()
    holder.store.settle([Outcome(first, "release")])
    holder.renewer.tick()
    [again] = take(holder.store, 1, LOCK_MS, "me").claims
    holder.in_flight.add([again])
    holder.store.settle([Outcome(again, "ack")])
    holder.renewer.tick()
    assert holder.in_flight.holds(again)
    assert log.errors == []


# -- reap --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def reaper(store: FlakyStore, clock: FakeClock, log: RecordingLogger, telemetry: Telemetry) -> Reaper:
    time = RedisTime(clock)
    time.synchronise(clock.now_ms())
    return Reaper(store, every=1, lock_seconds=LOCK, clock=clock, redis_time=time, log=adapt(log), telemetry=telemetry)


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


# -- retention ---------------------------------------------------------------------------------------------------------


class Finished:
    """Finishes messages, and forgets them beyond ``limits``."""

    def __init__(self, store: FlakyStore, telemetry: Telemetry, limits: Limits) -> None:
        self.store = store
        self.count = 0
        self.retention = Retention(
            store, {"done": limits, "dead": limits}, every=1, finished=lambda: self.count, telemetry=telemetry
        )

    def finish(self, count: int) -> None:
        self.store.add(count)
        self.store.settle([Outcome(claim, "ack") for claim in self.store.claim_all()])
        self.count += count

    def kept(self) -> int:
        return self.store.counts().finished


WIDE = Limits(10_000, 10**9, 10**9)


def test_finished_messages_beyond_the_limit_are_forgotten(store: FlakyStore, telemetry: Telemetry) -> None:
    f = Finished(store, telemetry, WIDE._replace(max_count=3))
    f.finish(10)
    assert f.retention.tick() == 1
    assert f.kept() == 3
    assert counters(telemetry) == {"scheduler_trimmed done": 7}


def test_a_call_that_failed_is_made_again_the_next_time(store: FlakyStore, telemetry: Telemetry) -> None:
    """It counted as done: "cannot trim" was said every 31 s as long as Redis was away."""
    f = Finished(store, telemetry, WIDE._replace(max_count=3))
    f.finish(10)
    store.away = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            f.retention.tick()
    store.away = False
    f.retention.tick()
    assert f.kept() == 3


def test_while_there_is_more_to_forget_it_does_not_pause(
    store: FlakyStore, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LIMIT", 4)
    f = Finished(store, telemetry, WIDE._replace(max_count=0))
    f.finish(10)
    assert [f.retention.tick() for _ in range(3)] == [0, 0, 1]
    assert f.kept() == 0


def test_a_quiet_service_asks_redis_only_every_thirtieth_time_and_still_forgets_by_age(
    store: FlakyStore, clock: FakeClock, telemetry: Telemetry
) -> None:
    f = Finished(store, telemetry, WIDE._replace(max_age_ms=10_000))
    f.finish(1)
    f.retention.tick()
    store.calls.clear()
    for _ in range(30):
        clock.advance(f.retention.tick())
    assert store.calls == []
    f.retention.tick()
    assert f.kept() == 0


# -- heartbeat ---------------------------------------------------------------------------------------------------------


def test_a_beat_puts_the_process_on_the_list_with_its_figures(
    store: FlakyStore, clock: FakeClock, telemetry: Telemetry
) -> None:
    telemetry.count("scheduler_accepted", 3, channel="test")
    beat = Heartbeat(
        store,
        "one/scheduler",
        telemetry,
        lambda: {"role": "scheduler"},
        every=1,
        clock=clock,
        log=adapt(RecordingLogger()),
    )
    assert beat.tick() == 1
    assert beat.tick() == 1
    clock.advance(2.5)
    server = store.servers()["one/scheduler"]
    assert server["role"] == "scheduler"
    assert server["age_ms"] == 2500
    assert ["scheduler_accepted", [["channel", "test"]], 3] in server["counters"]
    assert (server["clock_skew_ms"], server["gauges"]) == (0, {"scheduler_clock_skew_seconds": 0.0})


def test_the_history_is_sent_only_when_ten_seconds_more_of_it_are_complete(
    store: FlakyStore, clock: FakeClock, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bool] = []

    def note(_process: str, _snapshot: object, history: object) -> int:
        sent.append(history is not None)
        return clock.now_ms()

    monkeypatch.setattr(store, "beat", note)
    beat = Heartbeat(store, "one/scheduler", telemetry, dict, every=1, clock=clock, log=adapt(RecordingLogger()))
    for _ in range(21):
        beat.tick()
        clock.advance(1)
    assert sent.count(True) == 3  # the first beat, and after 10 and 20 s


def test_a_process_that_is_long_gone_leaves_the_list(store: FlakyStore, clock: FakeClock, telemetry: Telemetry) -> None:
    Heartbeat(store, "gone/scheduler", telemetry, dict, every=1, clock=clock, log=adapt(RecordingLogger())).tick()
    beat = Heartbeat(store, "here/scheduler", telemetry, dict, every=1, clock=clock, log=adapt(RecordingLogger()))
    clock.advance(800)
    beat.tick()
    assert set(store.servers()) == {"gone/scheduler", "here/scheduler"}
    clock.advance(101)
    beat.tick()
    assert set(store.servers()) == {"here/scheduler"}


# -- the thread --------------------------------------------------------------------------------------------------------


class Chore:
    """A task that notes when it ran."""

    def __init__(self, name: str, every: float, clock: FakeClock, do: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.ran: list[float] = []
        self._every = every
        self._clock = clock
        self._do = do
        self._changed = threading.Condition()

    def tick(self) -> float:
        with self._changed:
            self.ran.append(self._clock.monotonic())
            self._changed.notify_all()
        self._do()
        return self._every

    def wait_ran(self, times: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ran) >= times, 15), self.ran


def test_each_chore_runs_at_its_own_pace(clock: FakeClock, log: RecordingLogger) -> None:
    quick, slow = Chore("quick", 1, clock), Chore("slow", 3, clock)
    thread = Maintenance([slow, quick], clock, adapt(log))
    thread.start()
    for second in range(7):
        quick.wait_ran(second + 1)
        clock.wait_for_sleeper()
        clock.advance(1)
    slow.wait_ran(3)
    quick.wait_ran(8)
    clock.wait_for_sleeper()
    thread.stop()
    assert slow.ran == [0, 3, 6]
    assert quick.ran == [0, 1, 2, 3, 4, 5, 6, 7]
    assert not any(t.name == "maintenance" for t in threading.enumerate())


def test_a_chore_that_cannot_reach_redis_is_mentioned_once_and_tried_every_second(
    clock: FakeClock, log: RecordingLogger
) -> None:
    away = [True]

    def ask() -> None:
        if away[0]:
            raise StoreUnavailable("Redis does not answer")

    chore = Chore("reap", 60, clock, ask)
    thread = Maintenance([], clock, adapt(log))
    assert [thread.run(chore) for _ in range(3)] == [1, 1, 1]
    away[0] = False
    assert thread.run(chore) == 60
    away[0] = True
    assert thread.run(chore) == 1
    away_line = "cannot reap, trying on: Redis does not answer"
    assert log.errors == [away_line, "Redis answers again, after 0.0 s", away_line]


def test_a_defect_in_one_chore_does_not_end_the_others(clock: FakeClock, log: RecordingLogger) -> None:
    def fail() -> None:
        raise TypeError("a defect")

    bad, good = Chore("bad", 1, clock, fail), Chore("good", 1, clock)
    thread = Maintenance([bad, good], clock, adapt(log))
    thread.start()
    good.wait_ran(1)
    clock.wait_for_sleeper()
    clock.advance(1)
    good.wait_ran(2)
    bad.wait_ran(2)
    thread.stop()
    assert log.count("bad failed: a defect") >= 1


def test_a_stop_does_not_wait_for_the_next_chore(clock: FakeClock, log: RecordingLogger) -> None:
    chore = Chore("rare", 3600, clock)
    thread = Maintenance([chore], clock, adapt(log))
    thread.start()
    chore.wait_ran(1)
    thread.stop()
    assert len(chore.ran) == 1
