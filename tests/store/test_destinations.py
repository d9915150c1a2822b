"""Circuit breakers of destinations: one state for all servers."""

from __future__ import annotations

import pytest

from scheduler.destination import BreakerRules, BreakerState, DestinationState, Tally
from scheduler.errors import NotFound
from scheduler.store import MessageStore
from tests.support.store import Ticks

RULES = BreakerRules(failures=20, failure_rate=0.9, window_ms=60_000, probe_ms=5_000, max_probe_ms=15_000)
HOST = "https:api.example.com:443"
GOOD = Tally(good=1)
BAD = Tally(bad=1, after=1, error="HTTP 503")


def tell(store: MessageStore, tally: Tally, id: str = HOST, rules: BreakerRules = RULES) -> str:
    (found,) = store.attempted({id: tally}, rules)
    assert found.state.id == id
    return found.change


def fail(store: MessageStore, ticks: Ticks, times: int = 20, seconds: int = 12) -> list[str]:
    """Failures in a row, spread over a time."""
    changes = []
    for _ in range(times):
        changes.append(tell(store, BAD))
        ticks.now += seconds * 1000 // times
    return changes


def opened(store: MessageStore, ticks: Ticks) -> DestinationState:
    assert "opened" in fail(store, ticks, times=21)
    return store.destination(HOST)


def test_failures_in_a_row_open_it_and_say_what_failed(store: MessageStore, ticks: Ticks) -> None:
    found = opened(store, ticks)
    assert found.state(ticks.now) is BreakerState.OPEN
    assert found.last_error == "HTTP 503"
    assert found.opened_at is not None
    assert found.next_probe == found.opened_at + 5_000


def test_one_failure_less_opens_nothing(store: MessageStore, ticks: Ticks) -> None:
    assert set(fail(store, ticks, times=19)) == {""}
    assert tell(store, GOOD) == ""
    assert set(fail(store, ticks, times=19)) == {""}


def test_a_thousand_failures_within_a_second_open_nothing(store: MessageStore, ticks: Ticks) -> None:
    """That is the restart of a server; ten seconds of it are more."""
    assert tell(store, Tally(bad=1000, after=1000, error="refused")) == ""
    ticks.now += 9_999
    assert tell(store, BAD) == ""
    ticks.now += 1
    assert tell(store, BAD) == "opened"


def test_an_endpoint_that_fails_one_in_three_is_never_cut_off(store: MessageStore, ticks: Ticks) -> None:
    for n in range(300):
        assert tell(store, BAD if n % 3 == 0 else GOOD) == ""
        ticks.now += 200
    assert store.destination(HOST).state(ticks.now) is BreakerState.CLOSED


def test_a_failure_rate_opens_it_although_some_get_through(store: MessageStore, ticks: Ticks) -> None:
    changes = []
    for n in range(130):
        changes.append(tell(store, GOOD if n % 15 == 14 else BAD))
        ticks.now += 200
    assert changes.index("opened") == 99  # five times 20 attempts


def test_nothing_opens_where_it_is_switched_off(store: MessageStore, ticks: Ticks) -> None:
    off = RULES._replace(failures=0)
    for _ in range(50):
        assert tell(store, BAD, rules=off) == ""
        ticks.now += 1_000


def test_one_probe_at_a_time_and_each_failure_doubles_the_pause(store: MessageStore, ticks: Ticks) -> None:
    found = opened(store, ticks)
    assert found.next_probe is not None
    ticks.now = found.next_probe - 1
    assert store.probe(HOST, 40_000)[0] is False
    ticks.now += 1
    granted, state = store.probe(HOST, 40_000)
    assert granted
    assert state.state(ticks.now) is BreakerState.HALF_OPEN
    assert store.probe(HOST, 40_000)[0] is False
    for pause in (10_000, 15_000, 15_000):  # bounded
        assert tell(store, BAD._replace(probe="bad")) == ""
        found = store.destination(HOST)
        assert found.next_probe == ticks.now + pause
        ticks.now = found.next_probe
        assert store.probe(HOST, 40_000)[0]


def test_a_probe_that_is_never_reported_gives_way_to_the_next(store: MessageStore, ticks: Ticks) -> None:
    found = opened(store, ticks)
    ticks.now = found.next_probe or 0
    assert store.probe(HOST, 40_000)[0]
    ticks.now += 40_000
    assert store.probe(HOST, 40_000)[0]


def test_a_probe_that_was_given_back_gives_way_at_once(store: MessageStore, ticks: Ticks) -> None:
    before = opened(store, ticks)
    ticks.now += 5_000
    assert store.probe(HOST, 600_000)[0]
    assert tell(store, Tally(probe="none")) == ""
    found = store.destination(HOST)
    assert (found.state(ticks.now), found.probe_interval_ms) == (BreakerState.OPEN, before.probe_interval_ms)
    assert store.probe(HOST, 600_000)[0]
    assert Tally(probe="none").plus(Tally(good=1, probe="good")).probe == "good"
    assert Tally(good=1, probe="good").plus(Tally(probe="none")).probe == "good"


def test_a_probe_that_is_answered_closes_it(store: MessageStore, ticks: Ticks) -> None:
    found = opened(store, ticks)
    ticks.now = found.next_probe or 0
    store.probe(HOST, 40_000)
    # What was under way before it opened says nothing.
    assert tell(store, GOOD) == ""
    assert tell(store, GOOD._replace(probe="good")) == "closed"
    found = store.destination(HOST)
    assert (found.state(ticks.now), found.failures, found.closed_at) == (BreakerState.CLOSED, 0, ticks.now)
    assert set(fail(store, ticks, times=19)) == {""}, "it counts anew"


def test_opened_by_hand_it_takes_no_probe_and_is_closed_by_hand(store: MessageStore, ticks: Ticks) -> None:
    found = store.open_destination(HOST, "maintenance until nine")
    assert (found.by_hand, found.note, found.state(ticks.now)) == (True, "maintenance until nine", BreakerState.OPEN)
    ticks.now += 3_600_000
    assert store.probe(HOST, 1000)[0] is False
    assert tell(store, GOOD._replace(probe="good")) == ""
    assert store.destination(HOST).by_hand
    assert store.close_destination(HOST).state(ticks.now) is BreakerState.CLOSED


def test_a_pause_that_it_asked_for(store: MessageStore, ticks: Ticks) -> None:
    tell(store, Tally(good=1, hold_ms=30_000))
    tell(store, Tally(good=1, hold_ms=10_000))  # a shorter one does not shorten it
    found = store.destination(HOST)
    assert found.held_until == ticks.now + 30_000
    assert found.state(ticks.now) is BreakerState.CLOSED
    store.close_destination(HOST)
    assert not store.destination(HOST).is_held(ticks.now)


def test_what_works_leaves_nothing_behind(store: MessageStore, ticks: Ticks) -> None:
    tell(store, BAD)
    ticks.now += 60_000
    tell(store, GOOD)
    with pytest.raises(NotFound, match="Nothing is known"):
        store.destination(HOST)
    with pytest.raises(NotFound):
        store.close_destination(HOST)
    assert store.all_destinations() == []


def test_one_that_was_closed_is_forgotten_after_an_hour_of_good_attempts(store: MessageStore, ticks: Ticks) -> None:
    """Servers report attempts at destinations that they know of: one that works again must not cost a call for ever."""
    store.open_destination(HOST)
    store.close_destination(HOST, "works again")
    for minutes in (20, 20, 19):
        ticks.now += minutes * 60_000
        tell(store, GOOD)
        assert store.destination(HOST).note == "works again"
    ticks.now += 60_000
    (found,) = store.attempted({HOST: GOOD}, RULES)
    assert found.state.updated_at is None
    with pytest.raises(NotFound):
        store.destination(HOST)


def test_changes_since_a_moment(store: MessageStore, ticks: Ticks) -> None:
    tell(store, BAD, "http:one:80")
    ticks.now += 1000
    since = ticks.now
    tell(store, BAD, "http:two:80")
    found = [state.id for p in range(len(store.partitions)) for state in store.destinations(p, since=since).states]
    assert found == ["http:two:80"]
    assert {state.id for state in store.all_destinations()} == {"http:one:80", "http:two:80"}


def test_all_of_many_destinations_are_listed(
    store: MessageStore, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that starts must know each of them, not the thousand that changed first."""
    monkeypatch.setattr("scheduler.store.destinations.SCAN", 120)
    ids = {f"http:host-{n}:80" for n in range(300)}
    store.attempted(dict.fromkeys(sorted(ids)[:150], BAD), RULES)
    ticks.now += 5
    store.attempted(dict.fromkeys(sorted(ids)[150:], BAD), RULES)
    assert {state.id for state in store.all_destinations()} == ids


def test_an_open_one_is_forgotten_after_a_week_without_a_message_and_one_opened_by_hand_never(
    store: MessageStore, ticks: Ticks
) -> None:
    def expires(id: str) -> int:
        return int(store.client.pttl(store.partitions[store.partition_of(id)]["dest"] + id))

    opened(store, ticks)
    assert expires(HOST) == pytest.approx(7 * 86_400_000, abs=60_000)
    store.open_destination(HOST)
    assert expires(HOST) == -1
    tell(store, Tally(good=1, hold_ms=10 * 3_600_000), "http:slow:80")
    assert expires("http:slow:80") == pytest.approx(10 * 3_600_000, abs=60_000), "as long as the pause"


def test_a_name_is_forgotten_however_many_older_destinations_are_open(store: MessageStore, ticks: Ticks) -> None:
    """Each call looks at ten names: the same ten open ones each time would keep all younger names for ever."""
    keys = store.partitions[store.partition_of(HOST)]
    for n in range(200):
        store.open_destination(f"https:open-{n}:443")
    ticks.now += 1000
    tell(store, BAD)
    store.client.unlink(keys["dest"] + HOST)  # as Redis does when an hour has passed without news
    ticks.now += 3_600_000
    beside = next(id for n in range(100) if store.partition_of(id := f"http:beside-{n}:80") == store.partition_of(HOST))
    for _ in range(30):
        tell(store, GOOD, beside)
    assert store.client.zscore(keys["dests"], HOST) is None
    assert len(store.all_destinations()) == 200
