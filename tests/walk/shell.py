"""A person's terminal: one bash, whose folder and variables stay from one command to the next."""

import os
import signal
import subprocess
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

STOP_S = 30


class Shell:
    """A bash in `folder`. What was started in the background ends with it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str) -> tuple[int, str]:
        """The exit code of a block's last command, and all that the block printed."""
        assert self._bash.stdin
        assert self._bash.stdout
        end = f"end-{uuid.uuid4().hex}"
        self._bash.stdin.write(f"{command}\nprintf '\\n%s %s\\n' {end} $?\n")
        self._bash.stdin.flush()
        printed: list[str] = []
        for line in self._bash.stdout:
            if line.startswith(end):
                return int(line.split()[1]), "".join(printed)
            printed.append(line)
        raise AssertionError(f"the shell ended: {''.join(printed)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._bash.pid, number)
            self._bash.wait(timeout=STOP_S)
        for pipe in (self._bash.stdin, self._bash.stdout):
            if pipe:
                pipe.close()
