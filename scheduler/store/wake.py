"""Wake-ups: a message became the earliest one of its partition."""

from __future__ import annotations

import threading
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisClusterException, RedisError

from scheduler.clock import Clock
from scheduler.logs.notices import Seldom
from scheduler.logs.sinks import ServiceLog
from scheduler.store.keys import WAKE

_READ_SECONDS = 0.25
"""No read blocks longer: a stop is seen within this time."""
_RETRY_SECONDS = 0.25


class WakeListener:
    """A thread that listens to Redis and calls ``wake``.  A wake-up lost while it reconnects costs one poll
    interval.
    """

    def __init__(self, client: Redis, wake: Callable[[], None], clock: Clock, log: ServiceLog) -> None:
        self._client = client
        self._wake = wake
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
            self._thread.join()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (RedisError, RedisClusterException, OSError):
                # The dispatcher says that Redis is away; here it only matters to come back.
                self._clock.wait(self._stopping, _RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - without this thread every message would wait for the next poll
                self._seldom.error(f"listening for wake-ups failed, trying on: {error}", exception=error)
                self._clock.wait(self._stopping, _RETRY_SECONDS)

    def _listen(self) -> None:
        with self._client.pubsub() as subscription:  # type: ignore[no-untyped-call]
            # Redis's confirmation is the first message: it wakes for whatever was published while nobody listened, and
            # nothing that is published after it can be missed.
            subscription.subscribe(WAKE)
            while not self._stopping.is_set():
                if subscription.get_message(timeout=_READ_SECONDS) is not None:
                    self._wake()
