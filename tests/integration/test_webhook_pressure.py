"""Slow, dead and silent destinations: what they may take, and that nobody else notices.  And the end of the channel."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from scheduler.message import Outcome
from tests.support.endpoint import BlackHole, Endpoint
from tests.support.webhooks import Channels, Outcomes, claim, deliver, resolves_to


def kinds(outcomes: Sequence[Outcome]) -> Counter[str]:
    return Counter(outcome.kind for outcome in outcomes)


def test_at_most_so_many_transfers_go_to_one_destination_at_once(make: Channels, endpoint: Endpoint) -> None:
    channel = make(max_in_flight_per_host=7)
    outcomes = Outcomes()
    channel.deliver([claim(endpoint.url("/hold"), number) for number in range(20)], outcomes)
    endpoint.wait_for(7)
    # Neither a transfer that is over the limit nor another destination: what arrives now came through the same thread.
    with Endpoint() as other:
        deliver(channel, claim(other.url(), 100))
    assert len(endpoint.requests) == 7
    endpoint.let_go()
    endpoint.wait_for(14)
    endpoint.let_go()
    endpoint.wait_for(20)
    endpoint.let_go()
    assert kinds(outcomes.wait_for(20)) == {"ack": 20}
    assert endpoint.most_open == 7


def test_while_one_destination_hangs_another_is_served(make: Channels, endpoint: Endpoint) -> None:
    channel = make(connect_timeout_seconds=60)
    stuck = Outcomes()
    with BlackHole() as hole:
        channel.deliver([claim(hole.url(), number) for number in range(1000)], stuck)
        served = deliver(channel, *(claim(endpoint.url(), 1000 + number) for number in range(50)))
        assert kinds(served) == {"ack": 50}
        # Those that found no room are given back, uncharged, for later.
        given_back = [outcome for outcome in stuck.wait_for(400) if outcome.kind == "release"]
        assert len(given_back) >= 400
        assert all(outcome.delay_ms is not None and 250 <= outcome.delay_ms <= 30_000 for outcome in given_back)
        host = hole.url().split("/")[2]
        assert {outcome.destination for outcome in given_back} == {host}


def test_what_waits_for_a_destination_that_turns_out_to_hang_is_given_back(make: Channels, endpoint: Endpoint) -> None:
    channel = make(max_in_flight_per_host=2)
    outcomes = Outcomes()
    channel.deliver([claim(endpoint.url("/hold"), number) for number in range(10)], outcomes)
    released = outcomes.wait_for(6)
    assert kinds(released) == {"release": len(released)}


def test_what_is_over_the_channels_limit_is_given_back(make: Channels, endpoint: Endpoint) -> None:
    channel = make(max_in_flight=10, max_in_flight_per_host=100)
    outcomes = Outcomes()
    channel.deliver([claim(endpoint.url("/hold"), number) for number in range(25)], outcomes)
    assert kinds(outcomes.wait_for(15)) == {"release": 15}
    endpoint.wait_for(10)


def test_a_silent_resolver_delays_nobody_and_fails_in_time(make: Channels, endpoint: Endpoint) -> None:
    silence = threading.Event()
    asked: list[str] = []

    def lookup(host: str, *args: Any, **options: Any) -> list[Any]:
        asked.append(host)
        if host == "silent.example":
            silence.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return resolves_to("127.0.0.1")(host, *args, **options)

    channel = make(lookup=lookup, connect_timeout_seconds=2)
    stuck = Outcomes()
    channel.deliver([claim("http://silent.example/", number) for number in range(5)], stuck)
    (served,) = deliver(channel, claim(f"http://quick.example:{endpoint.port}/", 100))
    assert served.kind == "ack"
    assert stuck.now == []
    failed = stuck.wait_for(5)
    assert kinds(failed) == {"retry": 5}
    assert failed[0].error == "silent.example could not be resolved in 2 s"
    assert asked.count("silent.example") == 1
    silence.set()


def test_a_name_that_does_not_exist_is_a_failure(make: Channels) -> None:
    def lookup(*_args: Any, **_options: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    (outcome,) = deliver(make(lookup=lookup), claim("http://missing.example/"))
    assert (outcome.kind, outcome.error) == (
        "retry",
        "missing.example could not be resolved: Name or service not known",
    )


def test_a_name_is_looked_up_once_for_many_messages(make: Channels, endpoint: Endpoint) -> None:
    asked: list[str] = []

    def lookup(host: str, *args: Any, **options: Any) -> list[Any]:
        asked.append(host)
        return resolves_to("127.0.0.1")(host, *args, **options)

    url = f"http://name.example:{endpoint.port}/"
    ended = kinds(deliver(make(lookup=lookup), *(claim(url, n) for n in range(200))))
    # What waits for long behind the others is given back, on a machine that does other things too.
    assert ended["ack"] + ended["release"] == 200
    assert ended["ack"] >= 50
    assert asked == ["name.example"]


# ------------------------------------------------------------------------------------------------------------ the end
def test_stop_lets_transfers_in_flight_finish_and_begins_no_more(make: Channels, endpoint: Endpoint) -> None:
    channel = make(max_in_flight_per_host=3)
    outcomes = Outcomes()
    channel.deliver([claim(endpoint.url("/hold"), number) for number in range(5)], outcomes)
    endpoint.wait_for(3)
    stopping = threading.Thread(target=channel.stop, args=(30,))
    stopping.start()
    assert kinds(outcomes.wait_for(2)) == {"release": 2}
    endpoint.let_go()
    stopping.join(30)
    assert kinds(outcomes.now) == {"ack": 3, "release": 2}


def test_stop_charges_what_does_not_finish_in_time_and_not_what_waits(make: Channels, endpoint: Endpoint) -> None:
    channel = make(max_in_flight_per_host=3)
    outcomes = Outcomes()
    channel.deliver([claim(endpoint.url("/hang"), number) for number in range(5)], outcomes)
    endpoint.wait_for(3)
    channel.stop(0.05)
    assert kinds(outcomes.now) == {"retry": 3, "release": 2}
    assert {(o.error, o.delay_ms) for o in outcomes.now if o.kind == "retry"} == {
        ("the server stopped delivering before it ended", 0)
    }
    assert len({outcome.claim.id for outcome in outcomes.now}) == 5


def test_after_stop_everything_is_given_back(make: Channels, endpoint: Endpoint) -> None:
    channel = make()
    channel.stop(0)
    assert kinds(deliver(channel, claim(endpoint.url()))) == {"release": 1}
    assert endpoint.requests == []
    channel.stop(0)


def test_a_channel_that_was_never_started_stops(make: Channels) -> None:
    make(start=False).stop(0)


def test_a_thread_that_dies_is_loud_and_gives_back_what_it_held(
    make: Channels, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = make()
    outcomes = Outcomes()
    channel.deliver([claim(endpoint.url("/hang"), number) for number in range(3)], outcomes)
    endpoint.wait_for(3)

    def defect(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(channel._engine, "_destination", defect)
    channel.deliver([claim(endpoint.url(), 3)], outcomes)
    assert kinds(outcomes.wait_for(4)) == {"retry": 3, "release": 1}, "three may have arrived"
    channel.stop(0)
    assert isinstance(channel.failure, RuntimeError)
    assert "the webhook thread has died" in caplog.text
    (later,) = deliver(channel, claim(endpoint.url(), 4))
    assert (later.kind, later.delay_ms) == ("release", 5000)


def test_outcomes_that_nobody_takes_do_not_stop_the_channel(
    make: Channels, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    channel = make()

    def refuse(_outcomes: Sequence[Outcome]) -> None:
        raise RuntimeError("no")

    channel.deliver([claim(endpoint.url())], refuse)
    assert deliver(channel, claim(endpoint.url(), 2))[0].kind == "ack"
    assert "1 webhook outcomes could not be reported" in caplog.text


def test_whoever_takes_outcomes_slowly_does_not_stop_transfers(make: Channels, endpoint: Endpoint) -> None:
    channel = make()
    taking = threading.Event()
    release = threading.Event()

    def slow(_outcomes: Sequence[Outcome]) -> None:
        taking.set()
        release.wait(30)

    channel.deliver([claim(endpoint.url(), 1)], slow)
    assert taking.wait(30)
    channel.deliver([claim(endpoint.url(), 2)], slow)
    endpoint.wait_for(2)
    release.set()
