"""Pauses and pins while messages wait at a key and others are in flight."""

from __future__ import annotations

import pytest
import redis

from scheduler.flow import Flow, FlowLimits, Rate
from scheduler.message import Claim, Outcome
from scheduler.store import MessageStore
from tests.support.flow_servers import Ledger, deliver, fill
from tests.support.store import Ticks, at_once, broken_rules, message, store_on, take
from tests.support.waiting import wait_for

FOUR = {"k": FlowLimits(4)}


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def store(redis_client: redis.Redis, ticks: Ticks) -> MessageStore:
    store = store_on(redis_client, ticks)
    store.open()
    return store


def begin(store: MessageStore) -> list[Claim]:
    """Those that may go now."""
    assert broken_rules(store.client, now=store.counts().redis_ms) == []
    return list(take(store, 99, 60_000).claims)


def end(store: MessageStore, claims: list[Claim]) -> None:
    assert all(store.settle([Outcome(claim, "ack") for claim in claims]))


def test_none_begins_at_a_paused_key_whatever_ends_and_whatever_comes(store: MessageStore) -> None:
    fill(store, 6, FOUR)
    begun = begin(store)
    assert len(begun) == 4
    paused = store.pause_flow("k")
    assert (paused.paused, paused.in_flight, paused.waiting, paused.next_at) == (True, 4, 2, None)
    end(store, begun[:3])
    fill(store, 1, FOUR)
    assert begin(store) == []
    store.pin_flow("k", FlowLimits(9))
    assert begin(store) == [], "a pin ends no pause"
    end(store, begun[3:])
    assert begin(store) == []
    assert store.flow("k").waiting == 3, "and the key does not disappear"
    assert store.resume_flow("k").next_at is not None
    assert len(begin(store)) == 3


def test_a_pause_for_a_while_says_when_to_come_back(store: MessageStore, ticks: Ticks) -> None:
    fill(store, 2, {"k": FlowLimits(rate=Rate(1, 1000))})
    store.pause_flow("k", ticks.now + 400)
    claimed = take(store, 9, 1000)
    assert (claimed.claims, claimed.wait_ms) == ([], 400)
    ticks.now += 400
    assert len(begin(store)) == 1
    store.pause_flow("k", ticks.now + 100)
    assert take(store, 9, 1000).wait_ms == 1000, "the window lasts longer than the pause"


def test_a_resume_begins_no_new_window(store: MessageStore, ticks: Ticks) -> None:
    fill(store, 3, {"k": FlowLimits(rate=Rate(1, 1000))})
    assert len(begin(store)) == 1
    store.pause_flow("k")
    store.resume_flow("k")
    assert begin(store) == []
    ticks.now += 1000
    assert len(begin(store)) == 1


def test_a_pin_holds_for_those_that_wait_and_stops_none_that_has_begun(store: MessageStore) -> None:
    fill(store, 9, FOUR)
    begun = begin(store)
    store.pin_flow("k", FlowLimits(2))
    for claim in begun[:2]:
        end(store, [claim])
        assert begin(store) == [], "as many as the pin allows are still in flight"
    end(store, begun[2:3])
    assert len(begin(store)) == 1
    store.pin_flow("k", FlowLimits(5))
    assert len(begin(store)) == 3, "there is room, and those that wait go at once"


def test_the_newest_message_does_not_change_what_is_pinned(store: MessageStore) -> None:
    store.pin_flow("k", FlowLimits(1))
    fill(store, 3, {"k": FlowLimits(5)})
    assert len(begin(store)) == 1
    store.schedule([message("m", flow=Flow("k", FlowLimits(3)))])
    assert begin(store) == []
    assert store.flow("k").limits == FlowLimits(1)
    assert store.unpin_flow("k").limits == FlowLimits(3), "the newest message's"
    assert len(begin(store)) == 2


def test_a_pin_to_ordered_and_one_to_a_rate(store: MessageStore, ticks: Ticks) -> None:
    fill(store, 5, FOUR)
    store.pin_flow("k", FlowLimits(ordered=True))
    (first,) = begin(store)
    store.settle([Outcome(first, "retry", delay_ms=50, error="e")])
    assert begin(store) == []
    store.pin_flow("k", FlowLimits(rate=Rate(2, 1000)))
    assert len(begin(store)) == 2, "the one that has begun holds none back any more"
    ticks.now += 50
    assert begin(store) == [], "the window is full"
    ticks.now += 950
    assert first.id not in {claim.id for claim in begin(store)}, "those that were due before it"
    assert store.flow("k").scheduled == 1


def heard(client: redis.Redis, store: MessageStore, change: str) -> bool:
    """Whether a change of the key wakes the dispatchers."""
    with client.pubsub() as listener:  # type: ignore[no-untyped-call]
        listener.subscribe("ms1:wake")
        assert listener.get_message(timeout=5)
        {
            "resume": lambda: store.resume_flow("k"),
            "pin": lambda: store.pin_flow("k", FlowLimits(2)),
            "unpin": lambda: store.unpin_flow("k"),
            "reset": lambda: store.reset_flow("k"),
        }[change]()
        store.ping()
        return listener.get_message(timeout=0.2) is not None


@pytest.mark.parametrize("change", ["resume", "pin", "unpin", "reset"])
def test_dispatchers_are_woken_when_a_change_lets_messages_go(
    redis_client: redis.Redis, store: MessageStore, change: str
) -> None:
    limits = FlowLimits(2, Rate(1, 60_000) if change == "reset" else None)
    store.pin_flow("k", limits if change == "reset" else FlowLimits(1))
    fill(store, 2, {"k": limits})
    assert len(begin(store)) == 1
    if change == "resume":
        store.pause_flow("k")
        store.pin_flow("k", FlowLimits(2))
    assert begin(store) == []
    assert heard(redis_client, store, change)
    assert len(begin(store)) == 1


def test_a_pin_and_a_pause_hold_while_servers_deliver(redis_client: redis.Redis) -> None:
    stores = [store_on(redis_client) for _ in range(4)]
    store, ledger = stores[0], Ledger()
    store.open()
    fill(store, 600, {"k": FlowLimits(8)})
    over: list[bool] = []

    def came(key: str = "k") -> int:
        return len(ledger.order.get(key, ()))

    def beside() -> None:
        """Servers claim and deliver meanwhile."""
        served = came("beside")
        fill(store, 20, {"beside": FlowLimits()})
        wait_for("others are delivered", lambda: came("beside") == served + 20)

    def steer() -> None:
        wait_for("some are delivered", lambda: came() >= 50)
        store.pin_flow("k", FlowLimits(1))
        wait_for("those before the pin have ended", lambda: store.flow("k").in_flight <= 1)
        wait_for("by the ledger too", lambda: ledger.now["k"] <= 1)
        ledger.most["k"] = 0
        beside()
        assert came() < 600, "there was something to bound"
        assert ledger.most["k"] <= 1
        store.pause_flow("k")
        wait_for("the last one has ended", lambda: store.flow("k").in_flight == 0 and not ledger.now["k"])
        stopped = came()
        beside()
        assert came() == stopped < 600
        store.resume_flow("k")
        store.unpin_flow("k")
        wait_for("all are delivered", lambda: came() == 600)

    def steer_and_end() -> None:
        try:
            steer()
        finally:
            over.append(True)

    at_once([*(lambda each=each: deliver(each, ledger, lambda: bool(over)) for each in stores), steer_and_end])
    assert len(set(ledger.order["k"])) == 600
    assert broken_rules(redis_client) == []
    assert store.flows().flows == []


@pytest.mark.parametrize("before", ["release", "redrive"])
def test_a_wait_before_a_release_or_a_redrive_is_not_told_of_the_next_attempt(
    store: MessageStore, ticks: Ticks, before: str
) -> None:
    fill(store, 2, {"k": FlowLimits(1)})
    first = begin(store)
    ticks.now += 500
    end(store, first)
    (second,) = begin(store)
    assert (second.flow_wait_ms, store.get(second.id).flow_wait_ms) == (500, 500)
    if before == "release":
        store.settle([Outcome(second, "release", delay_ms=1000)])
    else:
        store.settle([Outcome(second, "dead")])
        store.redrive(second.id)
    ticks.now += 1000
    (again,) = begin(store)
    assert (again.flow_wait_ms, store.get(again.id).flow_wait_ms) == (0, 0)


@pytest.mark.parametrize("text", [None, "nonsense"])
@pytest.mark.parametrize("next_call", ["claim", "schedule", "cancel"])
def test_a_key_whose_state_was_deleted_or_broken_by_hand_goes_on(
    store: MessageStore, text: str | None, next_call: str
) -> None:
    """A script that failed at it would fail for all other messages of its call too, half-way."""
    fill(store, 6, FOUR)
    name = "ms1:{0}:flow:key:k"
    store.client.delete(name) if text is None else store.client.set(name, text)
    match next_call:
        case "schedule":
            fill(store, 1, FOUR)
        case "cancel":
            store.cancel(store.page(flow_key="k", limit=1).messages[0].id)
    delivered = []
    while claims := list(take(store, 99, 60_000).claims):
        end(store, claims)
        delivered.append(len(claims))
    # Its limits come back with the next message.
    assert delivered == {"claim": [6], "schedule": [4, 3], "cancel": [5]}[next_call]
    assert list(store.client.scan_iter("*flow*")) == []
