"""SIGINT (Ctrl-C) and SIGTERM for a command with work under way: the first lets it end well, a second ends it at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)
AS_SHELLS_SAY = 128
STDERR = 2
SAID = b"\nwhat is under way is finished; a second signal ends it at once\n"


class Stopped(KeyboardInterrupt):
    """A signal asked for the end. `exit_code` is what a shell says of it: 130 for SIGINT, 143 for SIGTERM."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = AS_SHELLS_SAY + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, the first of the signals raises Stopped in the main thread, which must be the one that enters.

    A signal that was ignored at the start stays ignored, as SIGINT is for what a script puts in the background.
    """
    before = {number: signal.getsignal(number) for number in STOPS}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_DFL)
        os.write(STDERR, SAID)  # a print may be under way in this very thread
        raise Stopped(number)

    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])
