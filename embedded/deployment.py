"""The backend and the worker as two processes, configured by environment variables as in a real deployment."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Self

from annotune.settings import Settings
from annotune.store.store import Store
from embedded.processes import Service, ServiceError, answers, free_port

ROOT = Path(__file__).resolve().parent.parent
# The command `annotune`, which works even if the project is not installed.
ANNOTUNE = (sys.executable, "-c", "from commands.main import main; main()")
START_DEADLINE_S = 120
COMMAND_DEADLINE_S = 300


class Deployment:
    """`annotune serve` and `annotune worker` with these settings; all other settings are unset.

    `settings` are environment variables; `BACKEND_URL` is added. Logs and training runs are stored in `folder`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], *, port: int | None = None) -> None:
        self.port = port or free_port()
        unset = {name.upper(): "" for name in Settings.model_fields}
        folders = {"RUNS_DIR": str(folder / "runs"), "SPOOL_DIR": str(folder / "spool")}
        ours = {"BACKEND_URL": self.url, **folders, "PYTHONUNBUFFERED": "1"}
        self.environment = unset | ours | dict(settings)
        address = ("--host", "127.0.0.1", "--port", str(self.port))
        self.backend = self._service("backend", folder, "serve", *address)
        self.worker = self._service("worker", folder, "worker")

    def _service(self, name: str, folder: Path, *arguments: str) -> Service:
        return Service(name, [*ANNOTUNE, *arguments], env=self.environment, log=folder / f"{name}.log", cwd=ROOT)

    @property
    def name(self) -> str:
        """The name of the deployment (`DEPLOYMENT`)."""
        return self.environment["DEPLOYMENT"] or "main"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _store(self) -> Store:
        return Store.connect(self.environment["REDIS_URL"], deployment=self.name, patience="job")

    def start(self) -> None:
        """Start both. They load at the same time."""
        with closing(self._store()) as store:
            self.worker.start(lambda: True, START_DEADLINE_S)
            self.start_backend()
            self.worker.wait_until(store.workers.alive, START_DEADLINE_S)

    def start_backend(self) -> None:
        self.backend.start(answers(f"{self.url}/health"), START_DEADLINE_S)

    def start_worker(self) -> None:
        with closing(self._store()) as store:
            self.worker.start(store.workers.alive, START_DEADLINE_S)

    def run(self, *arguments: str) -> str:
        """Run an `annotune` command and return its output.

        Raises:
            ServiceError: the command failed. The message has its output.
        """
        result = subprocess.run(
            [*ANNOTUNE, *arguments],
            env={**os.environ, **self.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=COMMAND_DEADLINE_S,
            check=False,
        )
        if result.returncode:
            raise ServiceError(f"'annotune {' '.join(arguments)}' failed: {(result.stderr or result.stdout).strip()}")
        return result.stdout.strip()

    def stop(self) -> None:
        self.worker.stop()
        self.backend.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
