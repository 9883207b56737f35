"""The seam to what trains: one script in the trainer's environment, a job file in, JSON lines out."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from annotune.errors import ConfigurationError, TrainingCancelled, TrainingFailed
from annotune.process import tied_command
from trainer.environment import for_scripts

SCRIPTS = Path(__file__).resolve().parent / "scripts"
NICE = 15
POLL_S = 0.5
BLOCK_BYTES = 1 << 16


class _Parsed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Started(_Parsed):
    """The optimisation begins: `left_out` examples were too long."""

    event: Literal["start"]
    steps: int
    examples: int
    left_out: int


class Stepped(_Parsed):
    """One optimiser step; `left_s` in seconds, going by the steps so far, unknown at first."""

    event: Literal["step"]
    step: int
    steps: int
    loss: float
    left_s: float | None


class Measured(_Parsed):
    """Mean held-out loss in nats a token, before (`base`) or after (`tuned`)."""

    event: Literal["loss"]
    what: Literal["base", "tuned"]
    value: float


class Entered(_Parsed):
    """What a script is at."""

    event: Literal["loading", "converting", "quantising"]


class _Failed(_Parsed):
    event: Literal["error"]
    message: str


class _Done(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    event: Literal["done"]


Event = Started | Stepped | Measured | Entered
_LINE: TypeAdapter[Event | _Failed | _Done] = TypeAdapter(
    Annotated[Event | _Failed | _Done, Field(discriminator="event")]
)


class Prepared(_Parsed):
    """`base` is a checkpoint folder, or a name on the hub."""

    base: str


class Trained(_Parsed):
    """What trained: `versions` of its packages; memory in MiB."""

    device: str
    dtype: str
    versions: dict[str, str]
    peak_rss_mb: float
    peak_gpu_mb: float


class Merged(_Parsed):
    """The checkpoint folder in 16 bits."""

    merged: Path


class Converted(_Parsed):
    """The file to serve, and the hex SHA-256 of it."""

    gguf: Path
    sha256: str


R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True)
class Step(Generic[R]):
    """One script, what its `done` line holds, and the longest that it may say nothing (a download says nothing)."""

    script: str
    result: type[R]
    silence_s: float


PREPARE = Step("prepare", Prepared, 3600)
TRAIN = Step("train", Trained, 1800)
MERGE = Step("merge", Merged, 3600)
CONVERT = Step("convert", Converted, 1800)


class Engine(Protocol):
    """What carries out the steps of a training."""

    def run(
        self,
        step: Step[R],
        job: Mapping[str, Any],
        folder: Path,
        *,
        heard: Callable[[Event], None],
        cancelled: Callable[[], bool],
    ) -> R:
        """Carry out a step; `job` is what its script documents, `folder` the run's.

        Raises:
            TrainingFailed: the step did not end well; the message says why.
            TrainingCancelled: `cancelled()` became true; nothing runs any more.
        """
        ...


class SubprocessEngine:
    """Runs the scripts with another interpreter, each in a session of its own and without our keys (`for_scripts`).

    Jobs and logs lie in the run's folder as `train.job.json` and `train.log`.
    """

    def __init__(self, python: Path | str, scripts: Path = SCRIPTS) -> None:
        self._python = Path(python).absolute()  # not resolved: a venv's python is a link that must stay one
        self._scripts = scripts

    def check(self) -> None:
        """Raise ConfigurationError if the interpreter is not there."""
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
        heard: Callable[[Event], None],
        cancelled: Callable[[], bool],
    ) -> R:
        """As `Engine.run`. On a CPU the script leaves the processor to the services beside it."""
        self.check()
        job_file, log_file = folder / f"{step.script}.job.json", folder / f"{step.script}.log"
        job_file.write_text(json.dumps(job, indent=1), encoding="utf-8")
        script = [str(self._python), str(self._scripts / f"{step.script}.py"), "--job", str(job_file)]
        nice = NICE if job["recipe"]["device"] == "cpu" else 0
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                tied_command(script, nice=nice),
                env=for_scripts(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
            try:
                return _result(process, step, heard, cancelled)
            finally:
                _kill(process)


def _result(
    process: subprocess.Popen[bytes], step: Step[R], heard: Callable[[Event], None], cancelled: Callable[[], bool]
) -> R:
    """Tell of each event until the last, and give what that one holds."""
    for line in _lines(process, step, cancelled):
        try:
            event = _LINE.validate_json(line)
            if isinstance(event, _Done):
                return step.result.model_validate(event.model_extra)
        except ValidationError as error:
            raise TrainingFailed(
                f"{step.script}.py printed a line that is no event; see {step.script}.log in the run's folder"
            ) from error
        if isinstance(event, _Failed):
            raise TrainingFailed(f"{step.script}: {event.message}")
        heard(event)
    code = process.wait()
    how = f"was killed by signal {-code} (9 is often: no memory left)" if code < 0 else f"ended with exit code {code}"
    raise TrainingFailed(f"{step.script}.py {how} before it was done; see {step.script}.log in the run's folder")


def _lines(process: subprocess.Popen[bytes], step: Step[R], cancelled: Callable[[], bool]) -> Iterator[bytes]:
    """The script's lines as they come, until it closes its output."""
    if process.stdout is None:
        return
    rest, said_at = b"", time.monotonic()
    while True:
        if cancelled():
            raise TrainingCancelled(f"the training was stopped in its step {step.script!r}; it starts anew")
        if time.monotonic() - said_at > step.silence_s:
            raise TrainingFailed(f"{step.script}.py said nothing for {step.silence_s:.0f} s and was ended")
        if not select.select([process.stdout], [], [], POLL_S)[0]:
            continue
        block = os.read(process.stdout.fileno(), BLOCK_BYTES)
        if not block:
            return
        said_at = time.monotonic()
        *lines, rest = (rest + block).split(b"\n")
        yield from lines


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the script and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()
