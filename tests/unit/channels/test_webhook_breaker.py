"""What a server remembers of destinations."""

from __future__ import annotations

import pytest

from scheduler.channels.webhook.breaker import GO, Breakers
from scheduler.destination import BreakerRules, DestinationState, Tally
from scheduler.logs.sinks import adapt
from tests.support.api import memory_store
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger

RULES = BreakerRules(3, 0.9, 60_000, 5_000, 60_000)


def test_what_redis_has_forgotten_is_forgotten_here_too(clock: FakeClock) -> None:
    """Endpoints that are given up would fill the memory of a server that runs for months."""
    board = memory_store(clock)
    breakers = Breakers(
        board, RULES, now_ms=clock.now_ms, monotonic=clock.monotonic, log=adapt(RecordingLogger())
    )  # fmt: skip
    board.attempted(
        {"http:gone:80": Tally(bad=1, after=1), "http:slow:80": Tally(good=1, hold_ms=9 * 86_400_000)}, RULES
    )
    board.open_destination("http:by-hand:80")
    assert breakers.admit("http:fine:80", 1000, clock.monotonic()) == GO
    assert set(breakers._known) == {"http:gone:80", "http:slow:80", "http:by-hand:80"}
    clock.advance(8 * 86_400)
    breakers.admit("http:fine:80", 1000, clock.monotonic())
    assert set(breakers._known) == {"http:slow:80", "http:by-hand:80"}


def test_a_backlog_of_a_destination_opened_by_hand_asks_redis_once_a_second(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call for each message of it would cost Redis more than to claim it and to give it back."""
    board = memory_store(clock)
    breakers = Breakers(
        board, RULES, now_ms=clock.now_ms, monotonic=clock.monotonic, log=adapt(RecordingLogger())
    )  # fmt: skip
    board.open_destination("http:by-hand:80")
    probe, asked = board.probe, []

    def noted(id: str, lease_ms: int) -> tuple[bool, DestinationState]:
        asked.append(clock.monotonic())
        return probe(id, lease_ms)

    monkeypatch.setattr(board, "probe", noted)
    for _ in range(2):
        clock.advance(1)
        begun = clock.monotonic()
        assert {breakers.admit("http:by-hand:80", 1000, begun).kind for _ in range(100)} == {"wait"}
    assert len(asked) == 2
