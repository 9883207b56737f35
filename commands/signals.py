"""SIGINT (Ctrl-C) and SIGTERM for a command: the first one lets work under way end, the second one ends it at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHELL_OFFSET = 128  # a shell adds the signal's number to it
STDERR = 2
NOTICE = b"\nwhat is under way is finished; a second signal ends it at once\n"


class Stopped(KeyboardInterrupt):
    """A signal asked for the end. `exit_code` is 130 for SIGINT and 143 for SIGTERM, as in a shell."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = SHELL_OFFSET + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise Stopped at the first signal. Enter it in the main thread, which gets the exception.

    A signal that is ignored at the start stays ignored. SIGINT is ignored in what a script starts in the background.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    handled = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)
        os.write(STDERR, NOTICE)  # print is not reentrant, and this thread may be in one
        raise Stopped(number)

    for number in handled:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])
