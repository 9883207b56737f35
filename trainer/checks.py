"""The checks of a worker: Label Studio, its recipe and its trainer. They run from its start on, again and again.

They run in a process of their own: a silent server, or loading torch, takes longer than the worker's heartbeat may wait.
"""

import logging
import multiprocessing
import os
import tempfile
import time
import uuid
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
from annotune.store.workers import Check, PartName, WorkerReport
from trainer.engine import Step, SubprocessEngine
from trainer.events import ignore
from trainer.signals import reset_stop_signals

EVERY_S = 30.0
TRAINER_EVERY_S = 120.0  # until it passes; a change of what is installed needs a restart
LABEL_STUDIO_S = 5.0
LONGEST_S = 240.0
_log = logging.getLogger(__name__)


class Device(BaseModel):
    """What trains: `name` is the GPU's, empty for a CPU; `torch` is a version."""

    device: str
    name: str
    torch: str


DEVICE = Step("device", Device, 180)


class BackgroundChecks:
    """Runs the checks, and logs each change of a result. `report` has the results so far."""

    def __init__(self, settings: Settings) -> None:
        """Check the recipe at once.

        Raises:
            ConfigurationError: `RECIPE` names no recipe, or a broken one.
        """
        self._settings = settings
        self.report = WorkerReport(by=uuid.uuid4().hex)
        self._process: BaseProcess | None = None
        self._reader: Connection | None = None
        self._began = self._trainer_at = float("-inf")
        self._add("recipe", check_recipe(settings))

    def run(self) -> None:
        """Take new results, and start the checks if it is time. Never waits."""
        running = self._process is not None and self._process.is_alive()
        self._take()  # after the line above: a process that has ended has sent all its results
        now = time.monotonic()
        if self._process is not None and running:
            if now - self._began > LONGEST_S:
                self._process.kill()
            return
        if now - self._began < EVERY_S:
            return
        trainer = self.report.trainer.ok is not True and now - self._trainer_at > TRAINER_EVERY_S
        self.close()
        reader, writer = multiprocessing.Pipe(duplex=False)
        # Forked, as the worker's other children: what was loaded is shared.
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(
            target=_run_checks, args=(self._settings, writer, os.getpid()), kwargs={"trainer": trainer}
        )
        self._process.start()
        writer.close()
        self._reader, self._began, self._trainer_at = reader, now, now if trainer else self._trainer_at

    def close(self) -> None:
        """Stop checks that are running."""
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
                name, check = self._reader.recv()
            except EOFError:
                self._reader.close()
                self._reader = None
                return
            self._add(name, check)

    def _add(self, name: PartName, check: Check) -> None:
        if getattr(self.report, name) != check:
            _log.log(logging.WARNING if check.ok is False else logging.INFO, "%s: %s", check.part, check.detail)
        self.report = self.report.model_copy(update={name: check})


def check_label_studio_key(settings: Settings) -> Check:
    """Does Label Studio answer and take our key?"""
    try:
        with closing(LabelStudioClient.from_settings(settings, timeout_s=LABEL_STUDIO_S)) as client:
            client.check_key()
    except AnnotuneError as error:
        return Check(part="Label Studio", ok=False, detail=str(error))
    return Check(part="Label Studio", ok=True, detail=f"answers at {client.url} and takes the key")


def check_recipe(settings: Settings) -> Check:
    """Is there a training recipe? Without one, training is off.

    Raises:
        ConfigurationError: `RECIPE` names no recipe, or a broken one.
    """
    if settings.recipe is None:
        return Check(part="recipe", ok=False, detail="RECIPE is not set, so nothing is trained")
    recipe = Recipe.load(settings.recipe)
    device = "GPU" if recipe.device == "cuda" else "CPU"
    return Check(part="recipe", ok=True, detail=f"{settings.recipe}: trains {recipe.base} on a {device}")


def check_trainer(settings: Settings) -> Check:
    """Is there an interpreter that can train, and on which device?"""
    if settings.recipe is None:
        return Check(part="trainer", detail="not needed while training is off")
    engine = SubprocessEngine(settings.trainer_python)
    try:
        recipe = Recipe.load(settings.recipe)
        job = {"recipe": recipe.model_dump(mode="json")}
        with tempfile.TemporaryDirectory() as folder:
            found = engine.run(DEVICE, job, Path(folder), on_event=ignore, cancelled=lambda: False)
    except TrainingFailed as error:
        reason = str(error).removeprefix(f"{DEVICE.script}: ")
        return Check(part="trainer", ok=False, detail=f"{settings.trainer_python} cannot train: {reason}")
    except AnnotuneError as error:
        return Check(part="trainer", ok=False, detail=str(error))
    where = f"a GPU ({found.name})" if found.device == "cuda" else "a CPU"
    return Check(
        part="trainer", ok=True, detail=f"{settings.trainer_python} trains on {where}, with torch {found.torch}"
    )


def _run_checks(settings: Settings, writer: Connection, supervisor: int, *, trainer: bool) -> None:
    die_with(supervisor)
    reset_stop_signals()
    writer.send(("label_studio", check_label_studio_key(settings)))
    if trainer:
        writer.send(("trainer", check_trainer(settings)))
