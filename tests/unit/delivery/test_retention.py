"""Finished messages beyond the limits are deleted, at little cost to a quiet service."""

from __future__ import annotations

import pytest

from scheduler.delivery import retention
from scheduler.delivery.retention import Retention
from scheduler.errors import StoreUnavailable
from scheduler.message import Outcome
from scheduler.store import Limits
from scheduler.telemetry.figures import Telemetry
from tests.support.clock import FakeClock
from tests.support.delivery import FlakyStore, counters


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
