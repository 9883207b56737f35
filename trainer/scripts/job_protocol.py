"""What the scripts share: a job file in, JSON lines out, and files that are whole or absent.

A script prints one JSON object per line on stdout, each with an `event`; the last is `done` or `error`.
What libraries print goes to stderr. It exits 0 after `done` and 1 after `error`.
"""

import argparse
import contextlib
import ctypes
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


class Refused(Exception):
    """One sentence for a person: what is wrong with the job's input, and what to do."""


def run(step: Callable[[dict, Emit], dict]) -> None:
    """Carry out `step(job, emit)` for the file named by --job; what it returns goes into the `done` line."""
    parser = argparse.ArgumentParser(description=step.__doc__)
    parser.add_argument("--job", type=Path, required=True, metavar="JOB.JSON")
    path: Path = parser.parse_args().job
    die_with_parent()
    emit = _claim_stdout()
    try:
        emit("done", **step(json.loads(path.read_text(encoding="utf-8")), emit))
    except Exception as error:  # noqa: BLE001 - the last line must say why, whatever it was
        traceback.print_exc()
        emit("error", message=_sentence(error, path))
        sys.exit(1)


def die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends; elsewhere do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def quiet(hub: bool) -> None:
    """Keep libraries from calling home, installing, drawing bars and, unless `hub`, downloading.

    They read these when they are imported.
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
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write a file or folder under; rename it to `path` once that went well."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield beside
        if path.is_dir():
            shutil.rmtree(path)
        beside.replace(path)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside)
        beside.unlink(missing_ok=True)


def _claim_stdout() -> Emit:
    """Take file descriptor 1 for JSON lines and give what C code and libraries print the one of stderr."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def emit(event: str, **values: object) -> None:
        lines.write(json.dumps({"event": event, **values}) + "\n")
        lines.flush()

    return emit


def _sentence(error: Exception, job: Path) -> str:
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, KeyError):
        return f"{job.name} lacks {error.args[0]!r}, or what it names does."
    first_line = next(iter(str(error).strip().splitlines()), "no message")
    return f"{type(error).__name__}: {first_line}"
