"""A ``Runtime`` in this process, for tests with real threads on a real Redis."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from scheduler.channels.base import Channel
from scheduler.config.reading import Settings
from scheduler.delivery.dispatcher import Dispatcher
from scheduler.logs.sinks import Logger
from scheduler.message import NOW, Due, NewMessage
from scheduler.runtime import Runtime
from tests.support.logger import RecordingLogger
from tests.support.waiting import wait_for

QUICK: dict[str, dict[str, Any]] = {
    "scheduler": {"lock_seconds": 10, "reap_seconds": 0.05, "heartbeat_seconds": 0.05, "grace_seconds": 10},
    "retention": {"trim_seconds": 0.05},
}
"""Intervals of a service in a hurry; ``Scheduler.PollSeconds`` stays a second: nothing may depend on it.  Locks live
long: on a busy machine a thread stands still for half a second, and with short ones that would be a second attempt.
"""
SHORT_LOCK = 1.5
"""Seconds, for the tests that wait until a lock is over."""


class Said(RecordingLogger):
    """A logger that keeps warnings apart: these tests' Redis keeps nothing on disk, and every start warns of it."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def warning(self, message: str, /) -> None:
        self._keep(self.warnings, message)


class Running(Runtime):
    """A runtime that may have further channels.  Use as a context manager."""

    def __init__(
        self,
        url: str,
        *channels: Channel,
        name: str = "here",
        logger: Logger | None = None,
        settings: Mapping[str, Mapping[str, Any]] = QUICK,
    ) -> None:
        lock = settings.get("scheduler", {}).get("lock_seconds", 5)
        merged = {
            "redis": {"connection_string": url, "socket_timeout_seconds": min(5, lock)},
            "server": {"name": name},
            "events": {"port": 0},
            **settings,
        }
        self.logger = Said()
        super().__init__(Settings.model_validate(merged), logger or self.logger)
        self._more = channels

    def channels(self, *parts: Any) -> dict[str, Channel]:
        return {**super().channels(*parts), **{channel.name: channel for channel in self._more}}

    def add(
        self, count: int = 1, *, channel: str = "echo", due_at: Due = NOW, text: str = "m", **more: Any
    ) -> list[str]:
        """The ids of new messages ``m0``, ``m1`` …, due now unless ``due_at`` says otherwise."""
        ids: list[str] = []
        for first in range(0, count, 1000):
            new = [
                NewMessage(id=id, payload=f'"{text}{first + i}"', due_at=due_at, channel=channel, **more)
                for i, id in enumerate(self.store.new_ids(min(1000, count - first)))
            ]
            self.store.schedule(new)
            ids += [message.id for message in new]
        return ids

    def report(self) -> dict[str, Any]:
        """The last heartbeat of its scheduler; waits for the first, which ``start`` does not."""
        name = f"{self.server}/scheduler"
        return wait_for(f"{name} reports", lambda: self.store.servers().get(name))

    @property
    def dispatcher(self) -> Dispatcher:
        """Its scheduler thread."""
        assert self._process, "not started"
        return self._process.dispatcher

    def __enter__(self) -> Running:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Counting:
    """A logger that counts attempt lines by id, and keeps errors: 20,000 lines are not searched for each wait."""

    def __init__(self) -> None:
        self.acks: dict[str, list[int]] = {}
        """id → attempts that were delivered."""
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self._changed = threading.Condition()

    def info(self, message: str, /) -> None:
        if not message.startswith("ack id="):
            return
        words = dict(word.split("=", 1) for word in message.split(" ")[1:4])
        with self._changed:
            self.acks.setdefault(words["id"], []).append(int(words["attempt"]))
            self._changed.notify_all()

    def error(self, message: str, /) -> None:
        self.errors.append(message)

    def warning(self, message: str, /) -> None:
        self.warnings.append(message)

    def wait_for(self, count: int, seconds: float = 40.0) -> None:
        """Block until so many messages were delivered."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.acks) >= count, seconds)
        assert arrived, f"{len(self.acks)} of {count}; errors: {self.errors[-5:]}"

    def once(self, ids: Sequence[str]) -> None:
        """AssertionError unless exactly these were delivered, once each, at the first attempt."""
        assert set(self.acks) == set(ids)
        assert {tuple(attempts) for attempts in self.acks.values()} == {(1,)}


def with_settings(**scheduler: Any) -> dict[str, dict[str, Any]]:
    return {**QUICK, "scheduler": {**QUICK["scheduler"], **scheduler}}


def redis_ms(runtime: Running) -> int:
    return runtime.store.own_ms()
