"""A training, requested from the worker and watched until it ends."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from annotune.errors import ConfigurationError, TrainingRefused
from annotune.recipe import Recipe, recipe_names
from annotune.runs import Progress, TrainingRequest, TrainingRun
from curation.context import CurationContext

POLL_S = 0.5


@dataclass(frozen=True)
class RequestedTraining:
    """A training that was requested.

    `is_new` is False if one was requested or running already; then this is that one. `lacks` says which annotations were
    missing when the worker last read the project, or is empty. Without a worker (`has_worker`) the training waits.
    """

    project: int
    is_new: bool
    lacks: str
    has_worker: bool
    _context: CurationContext = field(repr=False)
    _run_before: str | None = field(repr=False)

    def watch(self) -> Iterator[Progress]:
        """The progress of the training, every `POLL_S` seconds until it has ended.

        Raises:
            StoreUnavailable: Redis was away for long.
        """
        store = self._context.patient_store
        while store.training.requested(self.project) is not None:
            progress = store.training.progress(self.project)
            if progress is None:
                waiting = "waiting for its turn" if store.workers.alive() else "waiting: no worker is alive"
                progress = Progress(run="", stage=waiting)
            yield progress
            time.sleep(POLL_S)

    def result(self) -> TrainingRun:
        """The run of the training, after it has ended.

        Raises:
            TrainingRefused: the training has not ended yet, or it ended without a run.
        """
        if self._context.store.training.requested(self.project) is not None:
            raise TrainingRefused(f"project {self.project}: the training has not ended yet")
        run = _newest_run(self._context, self.project)
        if run is None or run.id == self._run_before:
            raise TrainingRefused(f"project {self.project}: the training ended without a run: see the worker's log")
        return run

    def wait(self) -> TrainingRun:
        """Wait until the training has ended, and return its run. Raises as `watch` and `result`."""
        for _ in self.watch():
            pass
        return self.result()


def request_training(context: CurationContext, project: int) -> RequestedTraining:
    """Request a training of a new version for the project.

    Raises:
        ConfigurationError: RECIPE is not set, or the recipe cannot be read.
        NotFound: there is no such project.
        TrainingRefused: the worker cannot train; the message says why.
    """
    if context.settings.recipe is None:
        raise ConfigurationError(
            f"training is off: set RECIPE, here and at the worker, to one of {recipe_names()}, or to a file's path"
        )
    Recipe.load(context.settings.recipe)
    context.label_studio.projects.get(project)
    store = context.store
    report = store.workers.last_report() if store.workers.alive() else None
    if report is not None and report.cannot_train:
        raise TrainingRefused(
            f"project {project}: no training is queued, since the worker cannot train: {report.cannot_train}"
        )
    before = _newest_run(context, project)
    is_new = store.training.request(project, TrainingRequest(requested_by="command", at=datetime.now(UTC)))
    if is_new:
        context.jobs.train(project)
    summary = store.changes.summary(project)
    return RequestedTraining(
        project=project,
        is_new=is_new,
        lacks=summary.lacks if summary else "",
        has_worker=store.workers.alive(),
        _context=context,
        _run_before=before.id if before else None,
    )


def _newest_run(context: CurationContext, project: int) -> TrainingRun | None:
    return next(iter(context.store.runs.all(project)), None)
