"""Programs that die with the process that started them."""

import os
import subprocess
import sys

import pytest

from annotune.process import tied_command

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells of a parent's death")
TELL = [sys.executable, "-c", "import os; print(os.getpid(), os.nice(0))"]


@pytest.mark.parametrize("nice", [0, 3])
def test_a_tied_command_is_the_process_that_was_started_with_the_priority_that_was_asked_for(nice: int) -> None:
    with subprocess.Popen(tied_command(TELL, nice=nice), stdout=subprocess.PIPE, text=True) as process:
        told, _ = process.communicate()

    assert told.split() == [str(process.pid), str(min(19, os.nice(0) + nice))]


def test_a_command_whose_parent_is_gone_is_not_begun() -> None:
    command = tied_command(TELL)
    command[command.index(str(os.getpid()))] = "1"  # it was started by another than this process by then

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
