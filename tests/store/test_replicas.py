"""``Redis.WaitReplicas``: what a client is told, replicas have."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from scheduler.errors import StoreUnavailable
from scheduler.message import IdGenerator
from scheduler.store import Changes, Limits, MessageStore, base
from tests.store.test_unavailable import HELD, furnish
from tests.support.store import NOW, message, outcomes, take

TOLD: dict[str, Callable[[MessageStore], object]] = {
    "schedule": lambda s: s.schedule([message("new")]),
    "update": lambda s: s.update("waiting", Changes(due_at=NOW + 99)),
    "cancel": lambda s: s.cancel("waiting"),
    "redrive": lambda s: s.redrive("letter"),
    "redrive_many": lambda s: s.redrive_many(limit=9),
    "purge": lambda s: s.purge_typed("echo"),
    "pause": lambda s: s.pause(),
    "resume": lambda s: s.resume(),
}
NOT_TOLD: dict[str, Callable[[MessageStore], object]] = {
    "claim and settle": lambda s: s.settle(outcomes(take(s, 1, 1000))),
    "renew": lambda s: s.renew([HELD], 9000),
    "reap": lambda s: s.reap(10),
    "trim": lambda s: s.trim("done", Limits(0, 0, 0), 10),
    "beat": lambda s: s.beat("one", {}),
    "get": lambda s: s.get("waiting"),
}


@pytest.fixture
def store(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> MessageStore:
    """A store that waits for a replica, of which there is none."""
    monkeypatch.setattr(base, "WAIT_MS", 5)
    furnish(redis_client)
    return MessageStore(redis_client, new_id=IdGenerator(lambda: NOW), wait_replicas=1, now_ms=lambda: NOW + 1)


@pytest.mark.parametrize("verb", TOLD)
def test_what_a_failover_could_forget_is_not_told_as_done(store: MessageStore, verb: str) -> None:
    """A message that was cancelled, and the client told so, was delivered after a failover."""
    with pytest.raises(StoreUnavailable, match="only 0 of 1 replicas") as told:
        TOLD[verb](store)
    assert told.value.reason == "Done, but too few replicas of Redis confirmed it"


@pytest.mark.parametrize("verb", NOT_TOLD)
def test_what_makes_a_repeat_at_most_does_not_wait(store: MessageStore, verb: str) -> None:
    NOT_TOLD[verb](store)
