"""SIGTERM and SIGINT for the supervisor and for the processes that it forks."""

import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


@contextmanager
def stop_signals() -> Iterator[Callable[[float], bool]]:
    """Yield `stopped(seconds)`: it waits so long for a stop signal, and returns whether one has come.

    The handlers only note the signal. Blocking the signals instead does not work: libraries have threads (numpy's, which
    Label Studio's SDK loads), and the kernel ends the process by a signal that one of them does not block. A signal that
    is ignored stays ignored.
    """
    came = threading.Event()
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    handled = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    handlers_before = {number: signal.signal(number, lambda *_: came.set()) for number in handled}
    wakeup_before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def stopped(seconds: float) -> bool:
        return came.is_set() or bool(select.select([reader], [], [], seconds)[0])

    try:
        yield stopped
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in handlers_before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


@contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Hold back stop signals while a child is forked, until the child calls `reset_stop_signals`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def reset_stop_signals() -> None:
    """Let a stop signal end this forked child, unless it is ignored. Call it before the child sets handlers of its own."""
    signal.set_wakeup_fd(-1)
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
