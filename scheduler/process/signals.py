"""The signals that ask the service to stop."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

_AT_ONCE = b"Stopped at once: messages in flight are delivered again when their locks expire.\n"


class StopSignals:
    """``asked`` is set by the first signal; a second SIGTERM or SIGINT ends the process where it stands."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.name = ""
        """Of the first signal."""

    def note(self, number: int) -> None:
        """The first signal has arrived."""
        self.name = signal.Signals(number).name
        self.asked.set()


def listen_for_signals() -> StopSignals:
    """SIGTERM, SIGINT and SIGHUP (the terminal was closed) ask for a stop from now on.

    A thread reads them from a pipe.  Python runs handlers in the main thread alone, which sleeps on, in a queue or a
    join, when the kernel has interrupted another thread: one SIGTERM in twenty was not heard on a busy machine.
    """
    signals = StopSignals()
    stopping = {signal.SIGTERM, signal.SIGINT}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup: it is meant to outlive its terminal
        stopping.add(signal.SIGHUP)
    next_signal = _pipe_of(stopping)

    def listen() -> None:
        signals.note(next_signal())
        # A terminal that closes may send SIGHUP twice, through its shell and by itself.
        while next_signal() == signal.SIGHUP:
            pass
        # The children notice: HTTP by its closed stdin, the private Redis by the kernel's signal.
        with suppress(OSError):
            if select.select([], [2], [], 0)[1]:  # nobody may be reading it
                os.write(2, _AT_ONCE)
        os._exit(1)

    threading.Thread(target=listen, name="signals", daemon=True).start()
    return signals


def on_signals(calls: Mapping[int, Callable[[], None]]) -> None:
    """Call, in one thread, what belongs to each signal that this process gets from now on.

    The handlers that stand, and those that are set later, run as well: they do not take a signal away from this thread.
    At most one call per process: the pipe that Python writes signals to exists once.
    """
    next_signal = _pipe_of({number for number in calls if signal.getsignal(number) is signal.SIG_DFL})

    def listen() -> None:
        while True:
            call = calls.get(next_signal())
            if call is not None:
                call()

    threading.Thread(target=listen, name="signals", daemon=True).start()


def _pipe_of(numbers: Iterable[int]) -> Callable[[], int]:
    """What waits for the next signal of this process, once these no longer end it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in numbers:
        signal.signal(number, lambda _number, _frame: None)
    return lambda: os.read(reading, 1)[0]
