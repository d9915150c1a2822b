"""The thread that runs maintenance tasks, each at its own pace."""

from __future__ import annotations

import threading
from collections.abc import Callable

from scheduler.delivery.maintenance import Maintenance
from scheduler.errors import StoreUnavailable
from scheduler.logs.sinks import adapt
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger


class Task:
    """A task that notes when it ran."""

    def __init__(self, name: str, every: float, clock: FakeClock, do: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.ran: list[float] = []
        self._every = every
        self._clock = clock
        self._do = do
        self._changed = threading.Condition()

    def tick(self) -> float:
        with self._changed:
            self.ran.append(self._clock.monotonic())
            self._changed.notify_all()
        self._do()
        return self._every

    def wait_ran(self, times: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ran) >= times, 30), self.ran


def test_each_task_runs_at_its_own_pace(clock: FakeClock, log: RecordingLogger) -> None:
    quick, slow = Task("quick", 1, clock), Task("slow", 3, clock)
    thread = Maintenance([slow, quick], clock, adapt(log))
    thread.start()
    for second in range(7):
        quick.wait_ran(second + 1)
        clock.wait_for_sleeper()
        clock.advance(1)
    slow.wait_ran(3)
    quick.wait_ran(8)
    clock.wait_for_sleeper()
    thread.stop()
    assert slow.ran == [0, 3, 6]
    assert quick.ran == [0, 1, 2, 3, 4, 5, 6, 7]
    assert not any(t.name == "maintenance" for t in threading.enumerate())


def test_a_task_that_cannot_reach_redis_is_mentioned_once_and_tried_every_second(
    clock: FakeClock, log: RecordingLogger
) -> None:
    away = [True]

    def ask() -> None:
        if away[0]:
            raise StoreUnavailable("Redis does not answer")

    task = Task("reap", 60, clock, ask)
    thread = Maintenance([], clock, adapt(log))
    assert [thread.run(task) for _ in range(3)] == [1, 1, 1]
    away[0] = False
    assert thread.run(task) == 60
    away[0] = True
    assert thread.run(task) == 1
    away_line = "cannot reap, trying on: Redis does not answer"
    assert log.errors == [away_line, "Redis answers again, after 0.0 s", away_line]


def test_a_defect_in_one_task_does_not_end_the_others(clock: FakeClock, log: RecordingLogger) -> None:
    def fail() -> None:
        raise TypeError("a defect")

    bad, good = Task("bad", 1, clock, fail), Task("good", 1, clock)
    thread = Maintenance([bad, good], clock, adapt(log))
    thread.start()
    good.wait_ran(1)
    clock.wait_for_sleeper()
    clock.advance(1)
    good.wait_ran(2)
    bad.wait_ran(2)
    thread.stop()
    assert log.count("bad failed: a defect") >= 1


def test_a_stop_does_not_wait_for_the_next_task(clock: FakeClock, log: RecordingLogger) -> None:
    task = Task("rare", 3600, clock)
    thread = Maintenance([task], clock, adapt(log))
    thread.start()
    task.wait_ran(1)
    thread.stop()
    assert len(task.ran) == 1
