"""Programs on loopback: started, logged to a file, waited for, and stopped with their child processes."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from annotune.process import tied_command

LOG_LINES_SHOWN = 20
POLL_S = 0.05
ANSWER_DEADLINE_S = 2


class ServiceError(RuntimeError):
    """A program ended early or did not answer in time. The message ends with the last lines of its log."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that is free now. Another program may take it at any time."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(url: str) -> Callable[[], bool]:
    """A `ready` function for `Service.start`. It is true once a GET of `url` answers with a status below 400."""
    parts = urlsplit(url)

    def ready() -> bool:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_DEADLINE_S)
        try:
            connection.request("GET", parts.path or "/")
            return connection.getresponse().status < http.HTTPStatus.BAD_REQUEST
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ready


class Service:
    """One program. `env` is added to our own environment, and the output is appended to `log`.

    The program leads a session of its own, so stopping it stops its child processes too. It is killed when the thread that
    called `start` ends: call `start` from a thread that lives as long as the program should.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path | None = None
    ) -> None:
        self.name = name
        self.command = list(command)
        self.env = dict(env)
        self.log = log
        self.cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServiceError(f"{self.name} was not started")
        return self._process.pid

    def start(self, ready: Callable[[], bool], deadline_s: float) -> None:
        """Start the program, and return once `ready()` is true.

        Raises:
            ServiceError: it ended, or it was not ready after `deadline_s`. It is stopped then.
        """
        if self.alive:
            raise ServiceError(f"{self.name} is already running (pid {self.pid})")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                tied_command(self.command),
                env={**os.environ, **self.env},
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.wait_until(ready, deadline_s)
        except BaseException:
            self.stop(grace_s=0)
            raise

    def wait_until(self, ready: Callable[[], bool], deadline_s: float) -> None:
        """Return once `ready()` is true.

        Raises:
            ServiceError: the program ended first, or `ready()` was not true within `deadline_s`.
        """
        pause = threading.Event()
        deadline = time.monotonic() + deadline_s
        while not ready():
            if not self.alive:
                code = self._process.returncode if self._process else None
                raise ServiceError(f"{self.name} ended with exit code {code} before it was ready\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServiceError(f"{self.name} was not ready after {deadline_s} s\n{self.log_tail()}")
            pause.wait(POLL_S)

    def log_tail(self) -> str:
        """The path of the log, and the last lines that the program wrote since its last start."""
        if not self.log.exists():
            return f"{self.log}: (no log)"
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join([f"{self.log}:", *lines[-LOG_LINES_SHOWN:]])

    def stop(self, grace_s: float = 10) -> None:
        """Ask the process group to end, and kill it after `grace_s`. Does nothing if it is not running."""
        process = self._process
        if process is None:
            return
        if grace_s > 0:
            self._signal(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
        self._signal(process.pid, signal.SIGKILL)  # also kills children that outlive the program
        process.wait()
        self._process = None

    @staticmethod
    def _signal(group: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
