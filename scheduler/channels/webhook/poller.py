"""libcurl's multi handle and the sockets it wants watched, in one wait.

``socket_action`` with epoll and not ``perform`` with ``select``: select ends at file descriptor 1023, and perform looks
at every transfer each time something happens to one.
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
        """End the wait that is going on, or the next one.  From any thread."""
        if not self._wake_sent:
            self._wake_sent = True
            # Closed: the engine has ended, and nobody waits.
            with contextlib.suppress(OSError):
                self._waker.send(b"\0")

    def poll(self, max_wait: float | None) -> None:
        """Wait at most ``max_wait`` seconds (None: for ever) and hand everything that is ready to libcurl."""
        if self._timer_at is not None and self._timer_at <= self._clock.monotonic():
            # Before the call, which may set the next one.
            self._timer_at = None
            self.multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            # That may have finished transfers, and somebody is waiting to hear of them.
            max_wait = 0
        self.forget_dropped()
        if self._timer_at is not None:
            timer = max(0.0, self._timer_at - self._clock.monotonic())
            max_wait = timer if max_wait is None else min(max_wait, timer)
        for key, events in self._selector.select(max_wait):
            if key.fd == self._woken.fileno():
                self._woken.recv(64)
                # After the read: the other way round a byte sent in between would be swallowed with its flag still set.
                self._wake_sent = False
                continue
            mask = (pycurl.CSELECT_IN if events & selectors.EVENT_READ else 0) | (
                pycurl.CSELECT_OUT if events & selectors.EVENT_WRITE else 0
            )
            self.multi.socket_action(key.fd, mask)

    def forget_dropped(self) -> None:
        """Stop watching what libcurl let go of.

        Not at once: a kept connection is let go of and taken up again for each message, and under load both happen
        between two waits, which saves two system calls (6 % of its CPU time).  But before a socket is opened, which may
        get the number of one that was closed: the kernel has forgotten that one, and the selector has not.
        """
        for fd in self._dropped:
            self._selector.unregister(fd)
        self._dropped.clear()

    def finished(self) -> Iterator[tuple[pycurl.Curl, int, str]]:
        """The transfers that are over: handle, libcurl's code (0 for none) and its message."""
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
