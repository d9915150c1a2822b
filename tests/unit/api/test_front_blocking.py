"""Functions that block run in threads, and the event loop goes on."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import TypeVar

import pytest

from scheduler.api.front.blocking import BlockingCalls

T = TypeVar("T")


@pytest.fixture
def calls() -> Iterator[BlockingCalls]:
    with closing(BlockingCalls(2, "test")) as calls:
        yield calls


def in_loop(make: Callable[[], Awaitable[T]]) -> T:
    async def run() -> T:
        async with asyncio.timeout(10):
            return await make()

    return asyncio.run(run())


def test_what_it_returns_and_raises(calls: BlockingCalls) -> None:
    async def seven() -> int:
        return await calls.run(lambda: 7)

    async def divide() -> float:
        return await calls.run(lambda: 1 / 0)

    assert in_loop(seven) == 7
    with pytest.raises(ZeroDivisionError):
        in_loop(divide)


def test_as_many_run_at_once_as_there_are_threads(calls: BlockingCalls) -> None:
    pair = threading.Barrier(2)

    async def four() -> list[int]:
        return await asyncio.gather(*(calls.run(lambda: pair.wait(5)) for _ in range(4)))

    assert sorted(in_loop(four)) == [0, 0, 1, 1]


def test_a_call_that_is_given_up_before_its_turn_is_not_made(calls: BlockingCalls) -> None:
    go_on = threading.Event()
    made: list[int] = []

    async def give_one_up() -> None:
        first = [calls.run(lambda: go_on.wait(5)) for _ in range(2)]
        second = calls.run(lambda: made.append(2))
        third = calls.run(lambda: made.append(3))
        second.cancel()
        go_on.set()
        await asyncio.gather(*first, third)

    in_loop(give_one_up)
    assert made == [3]


def test_a_call_that_is_given_up_while_it_runs_disturbs_no_other(calls: BlockingCalls) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        go_on.wait(5)

    async def give_one_up() -> int:
        first = calls.run(wait)
        while not begun.is_set():
            await asyncio.sleep(0)
        first.cancel()
        go_on.set()
        return await calls.run(lambda: 7)

    assert in_loop(give_one_up) == 7


def test_a_loop_that_is_closed_meanwhile_costs_no_thread() -> None:
    go_on = threading.Event()
    with closing(BlockingCalls(1, "test")) as calls:

        async def leave() -> list[asyncio.Future[bool]]:
            return [calls.run(lambda: go_on.wait(5))]

        in_loop(leave)
        go_on.set()

        async def another() -> int:
            return await calls.run(lambda: 7)

        assert in_loop(another) == 7


def test_an_idle_thread_keeps_no_answer(calls: BlockingCalls) -> None:
    class Answer:
        """Anything that can be watched."""

    gone = threading.Event()

    async def ask() -> None:
        weakref.finalize(await calls.run(Answer), gone.set)

    in_loop(ask)
    assert gone.wait(5)


def test_closing_ends_the_threads_and_needs_none() -> None:
    BlockingCalls(2, "test").close()
    calls = BlockingCalls(2, "test-end")
    in_loop(lambda: calls.run(lambda: None))
    calls.close()
    assert not any(thread.name.startswith("test-end") for thread in threading.enumerate())
