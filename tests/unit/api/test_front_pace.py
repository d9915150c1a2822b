"""An export makes room for deliveries, and only for those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fakeredis
import pytest

from scheduler.api.front.pace import AHEAD_MS, ASK_SECONDS, LONGEST, POLITE, Pace
from scheduler.errors import StoreUnavailable
from scheduler.store import MessageStore
from tests.support.clock import FakeClock
from tests.support.store import message, outcomes, store_on, take

WORKED = 0.005
PAUSE = POLITE * WORKED


@pytest.fixture
def store(clock: FakeClock) -> MessageStore:
    redis = fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)
    return store_on(redis, clock.now_ms, outbox_bytes=2**20)


def test_nothing_is_delivered(store: MessageStore, clock: FakeClock) -> None:
    store.schedule([message("later", clock.now_ms() + AHEAD_MS + 1)])
    assert Pace(store, clock).pause_after(WORKED) == 0


def test_a_message_is_due_soon(store: MessageStore, clock: FakeClock) -> None:
    store.schedule([message("soon", clock.now_ms() + AHEAD_MS)])
    assert Pace(store, clock).pause_after(WORKED) == pytest.approx(PAUSE)


def test_a_pause_has_an_end_before_clients_give_up(store: MessageStore, clock: FakeClock) -> None:
    store.schedule([message("soon", clock.now_ms() + AHEAD_MS)])
    assert Pace(store, clock).pause_after(60.0) == LONGEST


def test_a_message_has_just_ended(store: MessageStore, clock: FakeClock) -> None:
    store.schedule([message("now")])
    store.settle(outcomes(take(store, 1, 1000)))
    assert Pace(store, clock).pause_after(WORKED) == pytest.approx(PAUSE)


def test_redis_is_asked_once_in_a_while(store: MessageStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    figures: Callable[[], Any] = store.outbox_figures

    def counted() -> Any:
        asked.append(clock.monotonic())
        return figures()

    monkeypatch.setattr(store, "outbox_figures", counted)
    pace = Pace(store, clock)
    assert pace.pause_after(WORKED) == 0
    store.schedule([message("now")])
    store.settle(outcomes(take(store, 1, 1000)))
    clock.advance(0.9 * ASK_SECONDS)
    assert pace.pause_after(WORKED) == 0
    assert len(asked) == 1
    clock.advance(0.1 * ASK_SECONDS)
    assert pace.pause_after(WORKED) == pytest.approx(PAUSE)
    assert pace.pause_after(WORKED) == pytest.approx(PAUSE)
    assert len(asked) == 2


def test_redis_is_away(store: MessageStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Any:
        raise StoreUnavailable("connection refused")

    monkeypatch.setattr(store, "outbox_figures", away)
    assert Pace(store, clock).pause_after(WORKED) == 0
