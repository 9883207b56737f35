"""The seam to the trainer's own environment: one script for each step, a job file in, JSON lines out."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from annotune.errors import ConfigurationError, TrainingCancelled, TrainingFailed
from annotune.process import tied_command
from trainer.environment import script_environment
from trainer.events import LINE, Converted, Done, Event, Merged, Prepared, ScriptFailed, Trained

SCRIPTS = Path(str(files("trainer") / "scripts"))
NICE = 15
POLL_S = 0.5
BLOCK_BYTES = 1 << 16

R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True)
class Step(Generic[R]):
    """One script, the type of its result, and the seconds for which it may print nothing (a download prints nothing)."""

    script: str
    result: type[R]
    silence_s: float


PREPARE = Step("prepare", Prepared, 3600)
TRAIN = Step("train", Trained, 1800)
MERGE = Step("merge", Merged, 3600)
CONVERT = Step("convert", Converted, 1800)


class Engine(Protocol):
    """Carries out the steps of a training."""

    def run(
        self,
        step: Step[R],
        job: Mapping[str, Any],
        folder: Path,
        *,
        on_event: Callable[[Event], None],
        cancelled: Callable[[], bool],
    ) -> R:
        """Carry out a step.

        Args:
            step: which one.
            job: the job that the step's script documents.
            folder: the run's.
            on_event: called with each event.
            cancelled: asked about twice a second; once it returns True, the step is ended.

        Raises:
            TrainingFailed: the step failed; the message names the cause.
            TrainingCancelled: `cancelled()` returned True; nothing runs any more.
        """
        ...


class SubprocessEngine:
    """Runs each script with another interpreter, in a session of its own and without our keys (`script_environment`).

    The job and the log of a script are files in the run's folder, such as `train.job.json` and `train.log`.
    """

    def __init__(self, python: Path | str, scripts: Path = SCRIPTS) -> None:
        self._python = Path(python).absolute()  # not resolved: a virtual environment is known by its own link
        self._scripts = scripts

    def check(self) -> None:
        """Raise ConfigurationError if there is no such interpreter."""
        if not self._python.is_file():
            raise ConfigurationError(
                f"TRAINER_PYTHON={str(self._python)!r} is no Python interpreter: make the trainer's environment"
                " (trainer/install.sh), or name its interpreter"
            )

    def run(
        self,
        step: Step[R],
        job: Mapping[str, Any],
        folder: Path,
        *,
        on_event: Callable[[Event], None],
        cancelled: Callable[[], bool],
    ) -> R:
        """As `Engine.run`. On a CPU the script leaves the processor to the services beside it."""
        self.check()
        job_file, log_file = folder / f"{step.script}.job.json", folder / f"{step.script}.log"
        job_file.write_text(json.dumps(job, indent=1), encoding="utf-8")
        script: list[str | Path] = [self._python, self._scripts / f"{step.script}.py", "--job", job_file]
        nice = NICE if job["recipe"]["device"] == "cpu" else 0
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                tied_command(script, nice=nice),
                env=script_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
            try:
                return _read_result(process, step, on_event, cancelled)
            finally:
                _kill(process)


def _read_result(
    process: subprocess.Popen[bytes], step: Step[R], on_event: Callable[[Event], None], cancelled: Callable[[], bool]
) -> R:
    """Pass on each event, and return the result."""
    for line in _read_lines(process, step, cancelled):
        try:
            event = LINE.validate_json(line)
            if isinstance(event, Done):
                return step.result.model_validate(event.model_extra)
        except ValidationError as error:
            raise TrainingFailed(
                f"{step.script}.py printed a line that is no event; see {step.script}.log in the run's folder"
            ) from error
        if isinstance(event, ScriptFailed):
            raise TrainingFailed(f"{step.script}: {event.message}")
        on_event(event)
    code = process.wait()
    how = f"was killed by signal {-code} (9 is often: no memory left)" if code < 0 else f"ended with exit code {code}"
    raise TrainingFailed(f"{step.script}.py {how} before it was done; see {step.script}.log in the run's folder")


def _read_lines(process: subprocess.Popen[bytes], step: Step[R], cancelled: Callable[[], bool]) -> Iterator[bytes]:
    """The script's lines as it prints them, until it closes its output."""
    if process.stdout is None:
        return
    rest, last_output = b"", time.monotonic()
    while True:
        if cancelled():
            raise TrainingCancelled(f"the training was stopped in its step {step.script!r}; it starts anew")
        if time.monotonic() - last_output > step.silence_s:
            raise TrainingFailed(f"{step.script}.py said nothing for {step.silence_s:.0f} s and was ended")
        if not select.select([process.stdout], [], [], POLL_S)[0]:
            continue
        block = os.read(process.stdout.fileno(), BLOCK_BYTES)
        if not block:
            return
        last_output = time.monotonic()
        *lines, rest = (rest + block).split(b"\n")
        yield from lines


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the script and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()
