"""Stands before every child: ties the child's life to its parent's, then becomes the child.

Run by path with a bare interpreter (`python -I -S lifeline.py PARENT_PID COMMAND...`), because code
between fork and exec in a parent with threads can deadlock. The kernel sends the signal when the parent's
*thread* that started the child ends (prctl(2), PR_SET_PDEATHSIG); it survives exec. Only Linux has it:
elsewhere a killed parent leaves its children.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before the line above: nobody would ever send the signal
        sys.exit("the parent is gone")


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        die_with(parent)
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the point


if __name__ == "__main__":
    main()
