"""Messages that arrive while a script call runs share the next one; each gets its own answer or the failure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import closing

from scheduler.api.front.blocking import BlockingCalls
from scheduler.api.front.commit import MOST, GroupCommit
from scheduler.errors import StoreUnavailable
from scheduler.message import NewMessage
from scheduler.store import Scheduled


class Writer:
    """A store whose first call waits until the test lets it go on."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.groups: list[list[str]] = []
        self.go_on = threading.Event()
        self._fails = fails

    def __call__(self, messages: Sequence[NewMessage]) -> list[Scheduled]:
        self.groups.append([message.id for message in messages])
        if len(self.groups) == 1:
            assert self.go_on.wait(10)
        elif self._fails is not None:
            raise self._fails
        return [Scheduled(message.id, 7) for message in messages]


def message(n: int) -> NewMessage:
    return NewMessage(id=f"m{n}", payload="1", due_at=7)


def together(writer: Writer, count: int, given_up: int = 0) -> list[Scheduled | BaseException]:
    """What a first message gets, and ``count`` that arrive while it is written, the last of them given up."""

    async def accept() -> list[Scheduled | BaseException]:
        with closing(BlockingCalls(1, "commit")) as calls:
            commit = GroupCommit(writer, calls)
            tasks = [asyncio.create_task(commit(message(0)))]
            while not writer.groups:
                await asyncio.sleep(0)
            tasks += [asyncio.create_task(commit(message(n))) for n in range(1, count + 1)]
            await asyncio.sleep(0)
            for task in tasks[len(tasks) - given_up :]:
                task.cancel()
            writer.go_on.set()
            return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(accept())


def test_those_who_come_meanwhile_share_one_call_and_each_gets_its_own_answer() -> None:
    writer = Writer()
    assert together(writer, 8) == [Scheduled(f"m{n}", 7) for n in range(9)]
    assert [len(group) for group in writer.groups] == [1, 8]


def test_a_group_has_a_limit() -> None:
    writer = Writer()
    together(writer, MOST + 3)
    assert [len(group) for group in writer.groups] == [1, MOST, 3]


def test_all_who_wait_for_a_failed_call_hear_of_it_and_the_next_one_is_served() -> None:
    writer = Writer(fails=StoreUnavailable("away"))
    first, *others = together(writer, 5)
    assert first == Scheduled("m0", 7)
    assert [type(other) for other in others] == [StoreUnavailable] * 5


def test_a_request_that_is_given_up_leaves_its_message_and_disturbs_no_other() -> None:
    writer = Writer()
    *others, last = together(writer, 3, given_up=1)
    assert others == [Scheduled(f"m{n}", 7) for n in range(3)]
    assert isinstance(last, asyncio.CancelledError)
    assert writer.groups[1] == ["m1", "m2", "m3"]
