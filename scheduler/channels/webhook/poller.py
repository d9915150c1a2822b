"""Wait for all sockets of libcurl's multi handle at once.

It uses ``socket_action`` with epoll.  ``perform`` with ``select`` fails above file descriptor 1023, and looks at every
transfer each time something happens to one.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Iterator
from typing import Any

import pycurl

from scheduler.clock import Clock

_EVENTS = {
    pycurl.POLL_IN: selectors.EVENT_READ,
    pycurl.POLL_OUT: selectors.EVENT_WRITE,
    pycurl.POLL_INOUT: selectors.EVENT_READ | selectors.EVENT_WRITE,
}


class Poller:
    """Waits for sockets, for libcurl's timer and for ``wake``, and lets libcurl work."""

    def __init__(self, clock: Clock, max_connections: int) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._dropped: set[int] = set()
        self._timer_at: float | None = None
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._wake_sent = False
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self.multi.setopt(pycurl.M_MAXCONNECTS, max_connections)

    def wake(self) -> None:
        """End the current wait, or else the next one.  May be called from any thread."""
        if not self._wake_sent:
            self._wake_sent = True
            # The socket is closed when the engine has ended, and then no thread waits.
            with contextlib.suppress(OSError):
                self._waker.send(b"\0")

    def poll(self, max_wait: float | None) -> None:
        """Wait at most ``max_wait`` seconds (None: no limit), and let libcurl work on the sockets that are ready."""
        if self._timer_at is not None and self._timer_at <= self._clock.monotonic():
            # Cleared before the call, which may set the next timer.
            self._timer_at = None
            self.multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            # Transfers may have ended, so do not wait.
            max_wait = 0
        self.unwatch_dropped()
        if self._timer_at is not None:
            timer = max(0.0, self._timer_at - self._clock.monotonic())
            max_wait = timer if max_wait is None else min(max_wait, timer)
        for key, events in self._selector.select(max_wait):
            if key.fd == self._woken.fileno():
                self._woken.recv(64)
                # Cleared after the read.  In the other order, a byte that is sent in between would be read here while
                # the flag stays set, and later wake-ups would be lost.
                self._wake_sent = False
                continue
            mask = (pycurl.CSELECT_IN if events & selectors.EVENT_READ else 0) | (
                pycurl.CSELECT_OUT if events & selectors.EVENT_WRITE else 0
            )
            self.multi.socket_action(key.fd, mask)

    def unwatch_dropped(self) -> None:
        """Stop watching the sockets that libcurl has dropped.

        This is delayed: for each message, libcurl drops a kept connection and takes it up again.  Under load both
        happen between two waits, which saves two system calls (6 % of the CPU time).  It must happen before a socket is
        opened, because the new socket may get the number of one that was closed, which the selector still knows.
        """
        for fd in self._dropped:
            self._selector.unregister(fd)
        self._dropped.clear()

    def finished(self) -> Iterator[tuple[pycurl.Curl, int, str]]:
        """Yield the transfers that are over: handle, libcurl's error code (0: none) and its message."""
        left = 1
        while left:
            left, succeeded, failed = self.multi.info_read()
            for curl in succeeded:
                self.multi.remove_handle(curl)
                yield curl, pycurl.E_OK, ""
            for curl, code, message in failed:
                self.multi.remove_handle(curl)
                yield curl, code, message

    def close(self) -> None:
        self.multi.close()
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def _watch(self, what: int, fd: int, _multi: Any, _data: Any) -> None:
        watched = self._selector.get_map().get(fd)
        if what == pycurl.POLL_REMOVE:
            if watched:
                self._dropped.add(fd)
            return
        self._dropped.discard(fd)
        events = _EVENTS[what]
        if watched is None:
            self._selector.register(fd, events)
        elif watched.events != events:
            self._selector.modify(fd, events)

    def _set_timer(self, milliseconds: int) -> None:
        self._timer_at = None if milliseconds < 0 else self._clock.monotonic() + milliseconds / 1000
