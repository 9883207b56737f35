"""Processes that die with the one that started them.

The kernel sends the signal (Linux, prctl(2), PR_SET_PDEATHSIG). It sends it when the parent's thread ends, not only when
the whole parent does: start a child from a thread that lives as long as the child should. Elsewhere a parent that is
killed leaves its children behind.

This file is also a program, which a bare interpreter runs by its path:

    python -I -S process.py PARENT_PID NICE COMMAND...

It ties itself to its parent and becomes the command: the signal is kept over exec. Code between fork and exec (a
preexec_fn) would do the same, and can deadlock in a parent that has threads.
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread of `parent` that started it ends.

    Children of this process are not affected: each calls it for itself.

    Args:
        parent: the id of the process that started this one. If it is gone already, this process ends at once.
    """
    if not sys.platform.startswith("linux"):
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it ended before the signal was asked for
        os._exit(1)


def tied_command(command: Sequence[str | Path], *, nice: int = 0) -> list[str]:
    """The arguments that start a program which dies with the thread that starts it.

    Args:
        command: the program and its arguments.
        nice: how much processor time it leaves to others, 0 to 19.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(nice), *map(str, command)]


def lower_priority(nice: int) -> None:
    """Leave processor time to others.

    Desktops let the kernel group processes by session (sched(7), autogroup): there only the group's own nice value counts.
    """
    os.nice(nice)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice), encoding="ascii")


def main() -> None:
    parent, nice, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    die_with(parent)
    if nice:
        lower_priority(nice)
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the point


if __name__ == "__main__":
    main()
