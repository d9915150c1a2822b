"""The signals that ask the service to stop."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

_AT_ONCE = b"Stopped at once: messages in flight are delivered again when their locks expire.\n"


class StopSignals:
    """``asked`` is set by the first signal; a second SIGTERM or SIGINT ends the process at once."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.name = ""
        """The name of the first signal, for example ``SIGTERM``."""

    def note(self, number: int) -> None:
        """Record the first signal."""
        self.name = signal.Signals(number).name
        self.asked.set()


def listen_for_signals() -> StopSignals:
    """Make SIGTERM, SIGINT and SIGHUP (the terminal was closed) ask for a stop.

    A thread reads the signals from a pipe.  Python runs signal handlers in the main thread only.  When the kernel
    interrupts another thread, the main thread goes on sleeping in a queue or a join: on a busy machine, one SIGTERM in
    twenty had no effect.
    """
    signals = StopSignals()
    stopping = {signal.SIGTERM, signal.SIGINT}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup, which must outlive its terminal
        stopping.add(signal.SIGHUP)
    next_signal = _pipe_of(stopping)

    def listen() -> None:
        signals.note(next_signal())
        # A closing terminal may send SIGHUP twice: once itself, once through its shell.
        while next_signal() == signal.SIGHUP:
            pass
        # The children end too: the HTTP server when its stdin closes, the private Redis by the kernel's signal.
        with suppress(OSError):
            if select.select([], [2], [], 0)[1]:  # a write would block if nobody reads stderr
                os.write(2, _AT_ONCE)
        os._exit(1)

    threading.Thread(target=listen, name="signals", daemon=True).start()
    return signals


def _pipe_of(numbers: Iterable[int]) -> Callable[[], int]:
    """Keep these signals from ending the process; return a function that waits for the next one."""
    reading, writing = os.pipe()
    _let_go_in_forks(numbers)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in numbers:
        signal.signal(number, lambda _number, _frame: None)
    return lambda: os.read(reading, 1)[0]


def _let_go_in_forks(numbers: Iterable[int]) -> None:
    """Let these signals end a process that a job handler forks, as by ``multiprocessing``.

    It has the service's pipe too: a ``terminate()`` of the handler's own process would stop the service instead.
    """
    thread = threading.local()

    def hold() -> None:
        # The signal may come before the child has let go of the pipe.
        thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    def go_on() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, thread.mask)

    def let_go() -> None:
        signal.set_wakeup_fd(-1)
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        go_on()

    os.register_at_fork(before=hold, after_in_parent=go_on, after_in_child=let_go)
