"""What all scripts share: a job file in, JSON lines out, and files that are whole or absent.

A script prints one JSON object per line on stdout. Each has an `event`; the last is `done` or `error`.
What libraries print goes to stderr. The exit status is 0 after `done` and 1 after `error`.
The scripts run in the trainer's own environment, where Annotune's packages are not installed.
"""

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

Emit = Callable[..., None]
"""emit("step", step=3, loss=1.2) prints {"event": "step", "step": 3, "loss": 1.2}."""

PR_SET_PDEATHSIG = 1


class JobError(Exception):
    """One sentence for a person: what is wrong with the job's input, and what to do."""


def run(step: Callable[[dict, Emit], dict]) -> None:
    """Call `step(job, emit)` with the job file that --job names. What it returns goes into the `done` line."""
    parser = argparse.ArgumentParser(description=step.__doc__)
    parser.add_argument("--job", type=Path, required=True, metavar="JOB.JSON")
    path: Path = parser.parse_args().job
    die_with_parent()
    emit = _redirect_stdout()
    try:
        emit("done", **step(json.loads(path.read_text(encoding="utf-8")), emit))
    except Exception as error:  # noqa: BLE001 - the last line must name the cause, whatever it is
        traceback.print_exc()
        emit("error", message=_message(error, path))
        sys.exit(1)


def die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends. Does nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def configure_libraries(*, hub: bool) -> None:
    """Stop libraries from sending statistics, installing packages and drawing bars; allow downloads only if `hub`.

    They read these variables when they are imported.
    """
    if not hub:
        os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.update(
        UNSLOTH_OFFLINE="1",
        UNSLOTH_AUTO_INSTALL="0",
        UNSLOTH_DISABLE_STATISTICS="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        TOKENIZERS_PARALLELISM="false",
        TQDM_DISABLE="1",
    )


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a name in the same folder to write a file or a folder under. Rename it to `path` if the block succeeds."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file. A second process waits for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _redirect_stdout() -> Emit:
    """Keep stdout for JSON lines. What C code and libraries print on file descriptor 1 goes to stderr from now on."""
    stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def emit(event: str, **values: object) -> None:
        stdout.write(json.dumps({"event": event, **values}) + "\n")
        stdout.flush()

    return emit


def _message(error: Exception, job: Path) -> str:
    if isinstance(error, JobError):
        return str(error)
    if isinstance(error, KeyError):
        return f"{job.name} lacks {error.args[0]!r}, or what it names does."
    first_line = next(iter(str(error).strip().splitlines()), "no message")
    return f"{type(error).__name__}: {first_line}"
