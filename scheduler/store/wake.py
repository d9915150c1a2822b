"""Listen for wake-ups: Redis publishes one when a message became the earliest of its lane."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from redis import Redis
from redis.exceptions import RedisClusterException, RedisError

from scheduler.clock import Clock
from scheduler.logs.notices import Seldom
from scheduler.logs.sinks import ServiceLog
from scheduler.store.keys import WAKE

PLAN_MARK = " plan"
"""What a wake-up ends in that concerns a schedule."""
_READ_SECONDS = 2.0
"""The longest blocking read.  A stop ends it by a wake-up of its own, and waits for it where Redis hangs.  With reads
of 0.25 s this thread took a tenth of what an idle service costs.
"""
_RETRY_SECONDS = 0.25


class WakeListener:
    """A thread that calls ``wake`` for each wake-up, and ``plan`` for each that concerns a schedule.

    A wake-up that is lost while it reconnects makes messages late by at most one poll interval.
    """

    def __init__(
        self,
        client: Redis,
        wake: Callable[[], None],
        clock: Clock,
        log: ServiceLog,
        plan: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._wake = wake
        self._plan = plan
        self._clock = clock
        self._seldom = Seldom(log, clock)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="wake", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            # In a thread of its own: a Redis that hangs must not hold up the stop for longer than a read.
            threading.Thread(target=self._end_read, name="ends wake", daemon=True).start()
            self._thread.join()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (RedisError, RedisClusterException, OSError):
                # Not logged here: the dispatcher reports that Redis is away.
                self._clock.wait(self._stopping, _RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - without this thread, messages would wait for the next poll
                self._seldom.error(f"listening for wake-ups failed, trying on: {error}", exception=error)
                self._clock.wait(self._stopping, _RETRY_SECONDS)

    def _end_read(self) -> None:
        # Without Redis there is no read to end.
        with suppress(RedisError, RedisClusterException, OSError):
            self._client.publish(WAKE, "")

    def _listen(self) -> None:
        with self._client.pubsub() as subscription:  # type: ignore[no-untyped-call]
            # The first message is Redis's confirmation, and it wakes too: for messages that were published before this
            # thread listened.  Later ones cannot be missed.
            subscription.subscribe(WAKE)
            while not self._stopping.is_set():
                message = subscription.get_message(timeout=_READ_SECONDS)
                if message is not None:
                    self._wake()
                    if message["type"] != "message" or message["data"].endswith(PLAN_MARK):
                        self._plan()
