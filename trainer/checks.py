"""What a worker needs, looked at from its start on: Label Studio, the recipe and the trainer, each a line of the log.

In a process of its own: a server that is silent, and a torch that is loaded, take longer than a worker's pulse may wait.
"""

import logging
import multiprocessing
import os
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from pydantic import BaseModel

from annotune.errors import AnnotuneError, TrainingFailed
from annotune.label_studio.client import LabelStudioClient
from annotune.process import die_with
from annotune.recipe import Recipe
from annotune.settings import Settings
from annotune.store.workers import Finding, Findings, PartName
from trainer.engine import Step, SubprocessEngine

EVERY_S = 30.0
TRAINER_EVERY_S = 120.0  # once it is well it stays so: what is installed is changed with a restart
STUDIO_S = 5.0
LONGEST_S = 240.0
TITLES: dict[PartName, str] = {"label_studio": "Label Studio", "recipe": "recipe", "trainer": "trainer"}
OFF = "RECIPE is not set, so nothing is trained"
_log = logging.getLogger(__name__)


class Device(BaseModel):
    """What trains: `name` is the GPU's, empty for a CPU; `torch` is a version."""

    device: str
    name: str
    torch: str


DEVICE = Step("device", Device, 180)


class Inspector:
    """Looks again and again, and tells in the log what it finds, once for each change."""

    def __init__(self, settings: Settings) -> None:
        """Look at the recipe at once.

        Raises:
            ConfigurationError: it is none.
        """
        self._settings = settings
        self.findings = Findings(by=uuid.uuid4().hex)
        self._process: BaseProcess | None = None
        self._reader: Connection | None = None
        self._began = self._trainer_at = float("-inf")
        self._learn("recipe", recipe_finding(settings))

    def run(self) -> None:
        """Take what was found, and begin to look where it is time to. Never waits."""
        looking = self._process is not None and self._process.is_alive()
        self._take()  # after the line above: what has ended has told all
        now = time.monotonic()
        if self._process is not None and looking:
            if now - self._began > LONGEST_S:
                self._process.kill()
            return
        if now - self._began < EVERY_S:
            return
        trainer = self.findings.trainer.ok is not True and now - self._trainer_at > TRAINER_EVERY_S
        self.close()
        reader, writer = multiprocessing.Pipe(duplex=False)
        # Forked, as the worker's other children: what was loaded is shared.
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(
            target=_look, args=(self._settings, writer, os.getpid()), kwargs={"trainer": trainer}
        )
        self._process.start()
        writer.close()
        self._reader, self._began, self._trainer_at = reader, now, now if trainer else self._trainer_at

    def close(self) -> None:
        """End a look that is under way."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _take(self) -> None:
        while self._reader is not None and self._reader.poll():
            try:
                name, finding = self._reader.recv()
            except EOFError:
                self._reader.close()
                self._reader = None
                return
            self._learn(name, finding)

    def _learn(self, name: PartName, finding: Finding) -> None:
        if getattr(self.findings, name) != finding:
            _log.log(logging.WARNING if finding.ok is False else logging.INFO, "%s: %s", TITLES[name], finding.detail)
        self.findings = self.findings.model_copy(update={name: finding})


def recipe_finding(settings: Settings) -> Finding:
    """Raises ConfigurationError where RECIPE names none, or a broken one."""
    if settings.recipe is None:
        return Finding(ok=False, detail=OFF)
    recipe = Recipe.load(settings.recipe)
    return Finding(ok=True, detail=f"{settings.recipe}: trains {recipe.base} on a {_kind(recipe.device)}")


def studio_finding(settings: Settings) -> Finding:
    """Does Label Studio answer, and take our key?"""
    try:
        studio = LabelStudioClient.from_settings(settings, timeout_s=STUDIO_S)
        with closing(studio):
            studio.check_key()
    except AnnotuneError as error:
        return Finding(ok=False, detail=str(error))
    return Finding(ok=True, detail=f"answers at {studio.url} and takes the key")


def trainer_finding(settings: Settings) -> Finding:
    """Is there an interpreter that trains, and on what?"""
    if settings.recipe is None:
        return Finding(detail="not needed while training is off")
    engine = SubprocessEngine(settings.trainer_python)
    try:
        recipe = Recipe.load(settings.recipe)
        job = {"recipe": recipe.model_dump(mode="json")}
        with tempfile.TemporaryDirectory() as folder:
            found = engine.run(DEVICE, job, Path(folder), on_event=lambda _: None, cancelled=lambda: False)
    except TrainingFailed as error:
        told = str(error).removeprefix(f"{DEVICE.script}: ")
        return Finding(ok=False, detail=f"{settings.trainer_python} cannot train: {told}")
    except AnnotuneError as error:
        return Finding(ok=False, detail=str(error))
    where = f"a GPU ({found.name})" if found.device == "cuda" else "a CPU"
    return Finding(ok=True, detail=f"{settings.trainer_python} trains on {where}, with torch {found.torch}")


def _kind(device: str) -> str:
    return "GPU" if device == "cuda" else "CPU"


def _looks(settings: Settings, *, trainer: bool) -> Iterator[tuple[PartName, Finding]]:
    yield "label_studio", studio_finding(settings)
    if trainer:
        yield "trainer", trainer_finding(settings)


def _look(settings: Settings, writer: Connection, supervisor: int, *, trainer: bool) -> None:
    die_with(supervisor)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for name, finding in _looks(settings, trainer=trainer):
        writer.send((name, finding))
