"""The webhook channel leaves destinations alone that fail or ask for it, and sends one message to see."""

from __future__ import annotations

import pytest

from scheduler.destination import BreakerState
from scheduler.store import MessageStore
from tests.support.api import memory_store
from tests.support.clock import FakeClock
from tests.support.endpoint import Endpoint
from tests.support.waiting import wait_for
from tests.support.webhooks import Channels, claim, deliver, task

BROKEN = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def board(clock: FakeClock) -> MessageStore:
    return memory_store(clock)


def origin(endpoint: Endpoint) -> str:
    return endpoint.url().rstrip("/").replace("//", "")


def fail_until_open(channel, board: MessageStore, clock: FakeClock, endpoint: Endpoint) -> None:  # type: ignore[no-untyped-def]
    """Three failures over ten seconds: BreakerFailures is 3 here."""
    endpoint.canned["x"] = BROKEN
    for n in range(1, 4):
        (outcome,) = deliver(channel, claim(endpoint.url("/canned/x"), n))
        assert (outcome.kind, outcome.error) == ("retry", "HTTP 500")
        wait_for("its count", lambda n=n: sum(s.failures for s in board.all_destinations()) == n)  # type: ignore[misc]
        clock.advance(5.0)
    assert board.destination(origin(endpoint)).state(clock.now_ms()) is BreakerState.OPEN


def test_an_open_destination_gets_no_attempts_but_a_probe(
    make: Channels, endpoint: Endpoint, other: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    channel = make(board=board, now_ms=clock.now_ms, breaker_failures=3, breaker_probe_seconds=60)
    fail_until_open(channel, board, clock, endpoint)
    outcomes = deliver(channel, *(claim(endpoint.url("/canned/x"), n) for n in range(10, 15)))
    # Not charged, and put off: the first until the probe, the others behind it.
    assert {outcome.kind for outcome in outcomes} == {"release"}
    assert outcomes[0].delay_ms == 55_000
    assert all(55_000 <= (outcome.delay_ms or 0) <= 115_000 for outcome in outcomes)
    assert deliver(channel, claim(other.url("/"), 20))[0].kind == "ack"
    assert len(endpoint.requests) == 3

    clock.advance(55)
    outcomes = deliver(channel, *(claim(endpoint.url("/canned/x"), n) for n in range(30, 33)))
    assert sorted(outcome.kind for outcome in outcomes) == ["release", "release", "retry"]
    assert len(endpoint.requests) == 4
    wait_for(
        "the breaker", lambda: board.destination(origin(endpoint)).probe_interval_ms == 60_000
    )  # the longest by default


def test_a_probe_that_is_answered_lets_all_go_again(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    channel = make(board=board, now_ms=clock.now_ms, breaker_failures=3)
    fail_until_open(channel, board, clock, endpoint)
    clock.advance(5)
    endpoint.canned["x"] = FINE
    assert deliver(channel, claim(endpoint.url("/canned/x"), 10))[0].kind == "ack"
    wait_for("the breaker", lambda: board.destination(origin(endpoint)).state(clock.now_ms()) is BreakerState.CLOSED)
    wait_for("the breaker", lambda: deliver(channel, claim(endpoint.url("/canned/x"), 11))[0].kind == "ack")


def test_a_probe_that_is_redirected_to_where_it_may_not_go_was_answered(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    channel = make(board=board, now_ms=clock.now_ms, breaker_failures=3)
    fail_until_open(channel, board, clock, endpoint)
    clock.advance(5)
    (outcome,) = deliver(channel, task(endpoint.url("/status/308?Location=ftp%3A//example.com/"), 10))
    assert "the redirect was not followed" in (outcome.error or "")
    wait_for("the breaker", lambda: board.destination(origin(endpoint)).state(clock.now_ms()) is BreakerState.CLOSED)


def test_what_waits_for_its_turn_when_it_opens_is_put_off(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    """One transfer at once: the other messages stand behind it when the destination is opened by hand."""
    channel = make(board=board, now_ms=clock.now_ms, max_in_flight_per_host=1)
    board.open_destination(origin(endpoint), "maintenance")
    outcomes = deliver(channel, *(claim(endpoint.url("/canned/x"), n) for n in range(5)))
    assert {outcome.kind for outcome in outcomes} == {"release"}
    # Opened just now: they come back soon, should it be closed soon.
    assert all(2_500 <= (outcome.delay_ms or 0) <= 5_000 for outcome in outcomes)
    clock.advance(3600)
    (outcome,) = deliver(channel, claim(endpoint.url("/canned/x"), 9))
    assert 30_000 <= (outcome.delay_ms or 0) <= 60_000
    assert endpoint.requests == []


def test_another_server_learns_it_within_a_second(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    first = make(board=board, now_ms=clock.now_ms, breaker_failures=3, breaker_probe_seconds=60)
    second = make(board=board, now_ms=clock.now_ms, breaker_failures=3, breaker_probe_seconds=60)
    fail_until_open(first, board, clock, endpoint)
    assert deliver(second, claim(endpoint.url("/canned/x"), 9))[0].kind == "release"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (b"Retry-After: 30", 30),
        (b"RateLimit-Limit: 10\r\nRateLimit-Remaining: 0\r\nRateLimit-Reset: 40", 40),
        (b"RateLimit: limit=10, remaining=0, reset=50", 50),
        (b'RateLimit: "burst";r=0;t=7, "daily";r=3;t=60', 7),
        (b"Retry-After: 30\r\nRateLimit-Reset: 90", 30),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_an_endpoint_asks_for_holds_for_its_destination(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock, headers: bytes, seconds: int, status: int
) -> None:
    channel = make(board=board, now_ms=clock.now_ms)
    endpoint.canned["x"] = b"HTTP/1.1 %d X\r\n%s\r\nContent-Length: 0\r\n\r\n" % (status, headers)
    assert deliver(channel, claim(endpoint.url("/canned/x"), 1))[0].delay_ms == seconds * 1000
    wait_for("the breaker", lambda: bool(board.all_destinations()))
    # Another message to another path of it, which would be answered.
    (outcome,) = deliver(channel, claim(endpoint.url("/"), 2))
    assert outcome.kind == "release"
    assert seconds * 1000 <= (outcome.delay_ms or 0) <= (seconds + 5) * 1000
    clock.advance(seconds + 1)
    assert deliver(channel, claim(endpoint.url("/"), 3))[0].kind == "ack"


def test_what_a_long_pause_has_put_off_comes_within_a_minute_after_it_was_ended_by_hand(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    """It is put off in parts: nobody can find all messages of a destination when it is closed."""
    channel = make(board=board, now_ms=clock.now_ms)
    endpoint.canned["x"] = b"HTTP/1.1 429 X\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"
    deliver(channel, claim(endpoint.url("/canned/x"), 1))
    wait_for("the pause", lambda: bool(board.all_destinations()))
    outcomes = deliver(channel, *(claim(endpoint.url("/"), n) for n in range(2, 7)))
    assert {outcome.kind for outcome in outcomes} == {"release"}
    assert all(30_000 <= (outcome.delay_ms or 0) <= 60_000 for outcome in outcomes)
    # The last part ends where the pause does.
    clock.advance(3570)
    (outcome,) = deliver(channel, claim(endpoint.url("/"), 7))
    assert 30_000 <= (outcome.delay_ms or 0) <= 35_000


def test_what_is_sent_after_a_pause_was_ended_by_hand_goes_at_once(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    """The changes of other servers are read once a second, and an hour would be long for having come a moment later."""
    channel = make(board=board, now_ms=clock.now_ms)
    endpoint.canned["x"] = b"HTTP/1.1 429 X\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"
    deliver(channel, claim(endpoint.url("/canned/x"), 1))
    wait_for("the pause", lambda: bool(board.all_destinations()))
    assert deliver(channel, claim(endpoint.url("/"), 2))[0].kind == "release"
    board.close_destination(origin(endpoint))
    assert deliver(channel, claim(endpoint.url("/"), 3))[0].kind == "ack"


def test_a_redis_that_has_lost_its_data_is_believed(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    """Otherwise a destination opened by hand would be left alone by the servers that knew of it until they restart."""
    channel = make(board=board, now_ms=clock.now_ms)
    board.open_destination(origin(endpoint))
    assert deliver(channel, claim(endpoint.url("/"), 1))[0].kind == "release"
    keys = board.partitions[0]
    board.client.delete(keys["dests"], keys["dest"] + origin(endpoint))
    wait_for("the message goes", lambda: deliver(channel, claim(endpoint.url("/"), 2))[0].kind == "ack")


def test_a_probe_without_a_free_slot_keeps_nobody_waiting(
    make: Channels, endpoint: Endpoint, other: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    """It is given back unsent, and the destination would stay half open for as long as an attempt may take."""
    channel = make(board=board, now_ms=clock.now_ms, breaker_failures=3, max_in_flight=1)
    fail_until_open(channel, board, clock, endpoint)
    clock.advance(5)
    other.canned["x"] = b""  # never answered
    channel.deliver([claim(other.url("/canned/x"), 9)], lambda _: None)
    wait_for("the only slot is taken", lambda: len(other.requests) == 1)
    assert deliver(channel, claim(endpoint.url("/canned/x"), 10))[0].kind == "release"
    wait_for("it is open", lambda: board.destination(origin(endpoint)).state(clock.now_ms()) is BreakerState.OPEN)


def test_no_second_probe_begins_while_the_first_may_take_long(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    channel = make(board=board, now_ms=clock.now_ms, breaker_failures=3)
    fail_until_open(channel, board, clock, endpoint)
    clock.advance(5)
    endpoint.canned["x"] = b""  # never answered
    channel.deliver([claim(endpoint.url("/canned/x"), 10, timeout=600)], lambda _: None)
    clock.advance(300)
    assert deliver(channel, claim(endpoint.url("/canned/x"), 11))[0].kind == "release"
    assert board.destination(origin(endpoint)).state(clock.now_ms()) is BreakerState.HALF_OPEN


def test_a_pause_concerns_one_message_where_the_settings_say_so(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    channel = make(board=board, now_ms=clock.now_ms, slow_destinations=False)
    endpoint.canned["x"] = b"HTTP/1.1 429 X\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"
    assert deliver(channel, claim(endpoint.url("/canned/x"), 1))[0].delay_ms == 30_000
    assert deliver(channel, claim(endpoint.url("/"), 2))[0].kind == "ack"
    assert board.all_destinations() == []


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        (b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 410 X\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 408 X\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200", True),
    ],
)
def test_what_counts_as_a_failure_of_the_destination(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock, answer: bytes, counts: bool
) -> None:
    """An answer about the message says that the endpoint works."""
    channel = make(board=board, now_ms=clock.now_ms)
    endpoint.canned["x"] = answer
    if not answer.endswith(b"\r\n"):
        channel = make(board=board, now_ms=clock.now_ms, timeout_seconds=0.1)
    (outcome,) = deliver(channel, claim(endpoint.url("/canned/x"), 1))
    endpoint.canned["y"] = BROKEN
    deliver(channel, claim(endpoint.url("/canned/y"), 2))
    wait_for("the breaker", lambda: bool(board.all_destinations()))
    expected = 2 if counts else 1
    wait_for("the breaker", lambda: board.all_destinations()[0].failures == expected)
    if answer.startswith(b"HTTP/1.1 410"):
        assert "the endpoint is gone" in (outcome.error or "")


def test_an_address_that_may_not_be_called_says_nothing_about_it(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    channel = make(board=board, now_ms=clock.now_ms, allow_private_networks=False)
    assert "not allowed" in (deliver(channel, claim(endpoint.url("/canned/x"), 1))[0].error or "")
    assert board.all_destinations() == []


def test_a_message_that_may_not_be_sent_is_no_probe(
    make: Channels, endpoint: Endpoint, board: MessageStore, clock: FakeClock
) -> None:
    """It would keep all others waiting until its time is over."""
    fail_until_open(make(board=board, now_ms=clock.now_ms, breaker_failures=3), board, clock, endpoint)
    clock.advance(5)
    channel = make(board=board, now_ms=clock.now_ms, allow_private_networks=False)
    deliver(channel, claim(endpoint.url("/canned/x"), 1))
    assert board.destination(origin(endpoint)).state(clock.now_ms()) is BreakerState.OPEN
