"""Names are looked up beside the transfers: once at a time each, remembered for a while."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from scheduler.channels.webhook import resolver as module
from scheduler.channels.webhook.resolver import FAILED_SECONDS, FRESH_SECONDS, USABLE_SECONDS, Resolved, Resolver
from tests.support.clock import FakeClock


class Names:
    """A name service whose answers a test gives one by one."""

    def __init__(self) -> None:
        self.asked: queue.Queue[str] = queue.Queue()
        self.answers: queue.Queue[str | Exception] = queue.Queue()
        self.found = threading.Event()

    def lookup(self, host: str, *_args: Any, **_options: Any) -> list[Any]:
        self.asked.put(host)
        answer = self.answers.get(timeout=30)
        if isinstance(answer, Exception):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in answer.split()]


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def resolver(clock: FakeClock, names: Names) -> Iterator[Resolver]:
    made = Resolver(clock, names.found.set, names.lookup)
    yield made
    made.stop()


def settle(resolver: Resolver, names: Names, host: str, answer: str | Exception) -> Resolved | None:
    """Let the look-up that is under way end like this; what the name is known to be then."""
    names.answers.put(answer)
    assert names.found.wait(30)
    names.found.clear()
    assert resolver.collect() == [host]
    return resolver.resolve(host)


def test_the_first_one_waits_and_everybody_after_does_not(resolver: Resolver, names: Names) -> None:
    assert resolver.resolve("a.example") is None
    assert resolver.resolve("a.example") is None
    known = settle(resolver, names, "a.example", "192.0.2.1 192.0.2.2 192.0.2.1")
    assert known is not None
    assert known.addresses == ("192.0.2.1", "192.0.2.2")
    assert names.asked.qsize() == 1


def test_an_answer_is_asked_again_behind_the_back_of_who_uses_it(
    resolver: Resolver, names: Names, clock: FakeClock
) -> None:
    resolver.resolve("a.example")
    first = settle(resolver, names, "a.example", "192.0.2.1")
    clock.advance(FRESH_SECONDS)
    assert resolver.resolve("a.example") is first
    second = settle(resolver, names, "a.example", "192.0.2.2")
    assert second is not None
    assert second.addresses == ("192.0.2.2",)


def test_an_answer_that_is_too_old_is_not_used(resolver: Resolver, names: Names, clock: FakeClock) -> None:
    resolver.resolve("a.example")
    settle(resolver, names, "a.example", "192.0.2.1")
    clock.advance(USABLE_SECONDS)
    assert resolver.resolve("a.example") is None
    settle(resolver, names, "a.example", "192.0.2.1")


def test_a_failure_is_remembered_for_a_moment(resolver: Resolver, names: Names, clock: FakeClock) -> None:
    resolver.resolve("a.example")
    known = settle(resolver, names, "a.example", socket.gaierror(-2, "Name or service not known"))
    assert known is not None
    assert known.error == "a.example could not be resolved: Name or service not known"
    assert resolver.resolve("a.example") is known
    clock.advance(FAILED_SECONDS)
    assert resolver.resolve("a.example") is None
    settle(resolver, names, "a.example", "192.0.2.1")


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_NONAME, socket.EAI_FAIL])
def test_a_look_up_that_fails_does_not_forget_an_address_that_was_good(
    resolver: Resolver, names: Names, clock: FakeClock, code: int
) -> None:
    resolver.resolve("a.example")
    settle(resolver, names, "a.example", "192.0.2.1")
    clock.advance(FRESH_SECONDS)
    resolver.resolve("a.example")
    known = settle(resolver, names, "a.example", socket.gaierror(code, "the name server is away"))
    assert known is not None
    assert (known.error, known.addresses) == (None, ("192.0.2.1",))
    assert names.asked.qsize() == 2, "a failure is not asked again at once"
    clock.advance(FAILED_SECONDS)
    resolver.resolve("a.example")
    known = settle(resolver, names, "a.example", "192.0.2.2")
    assert known is not None
    assert known.addresses == ("192.0.2.2",)


def test_an_address_that_was_good_is_not_used_for_ever(resolver: Resolver, names: Names, clock: FakeClock) -> None:
    resolver.resolve("a.example")
    settle(resolver, names, "a.example", "192.0.2.1")
    clock.advance(USABLE_SECONDS - 1)
    resolver.resolve("a.example")
    settle(resolver, names, "a.example", socket.gaierror(socket.EAI_AGAIN, "the name server is away"))
    clock.advance(FAILED_SECONDS)
    assert resolver.resolve("a.example") is None
    known = settle(resolver, names, "a.example", socket.gaierror(socket.EAI_AGAIN, "the name server is away"))
    assert known is not None
    assert known.error == "a.example could not be resolved: the name server is away"


def test_an_address_where_nobody_answers_is_looked_up_again_at_once(
    resolver: Resolver, names: Names, clock: FakeClock
) -> None:
    resolver.resolve("a.example")
    settle(resolver, names, "a.example", "192.0.2.1")
    resolver.refresh("a.example")
    assert names.asked.qsize() == 1, "it was looked up a moment ago"
    clock.advance(FAILED_SECONDS)
    resolver.refresh("a.example")
    known = settle(resolver, names, "a.example", "192.0.2.2")
    assert known is not None
    assert known.addresses == ("192.0.2.2",)


def test_a_name_without_addresses_is_a_failure(resolver: Resolver, names: Names) -> None:
    resolver.resolve("a.example")
    known = settle(resolver, names, "a.example", "")
    assert known is not None
    assert known.error == "a.example has no address"


def test_one_that_hangs_does_not_hold_up_the_next(resolver: Resolver, names: Names) -> None:
    resolver.resolve("silent.example")
    assert names.asked.get(timeout=30) == "silent.example"
    resolver.resolve("b.example")
    assert names.asked.get(timeout=30) == "b.example"
    names.answers.put("192.0.2.1")
    names.answers.put("192.0.2.1")


def test_memory_is_bounded(resolver: Resolver, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NAMES", 3)
    for number in range(5):
        resolver.resolve(f"{number}.example")
        settle(resolver, names, f"{number}.example", "192.0.2.1")
    assert list(resolver._known) == ["2.example", "3.example", "4.example"]
