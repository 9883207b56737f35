"""A training, requested from the worker and watched until it ends."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from annotune.errors import ConfigurationError, RequestInvalid, TrainingRefused
from annotune.recipe import Recipe, recipe_names
from annotune.runs import DatasetRef, Progress, TrainingRequest, TrainingRun
from annotune.serving import ServingResolver
from curation.context import CurationContext
from curation.row_examples import ANSWER, QUESTION, RowMaker
from curation.row_sets import check_columns, folder_of

POLL_S = 0.5


@dataclass(frozen=True)
class RequestedTraining:
    """A training that was requested.

    `is_new` is False if one was requested or running already; then this is that one. `lacks` says which annotations were
    missing when the worker last read the project, or is empty. Without a worker (`has_worker`) the training waits.
    `unseen` are the paths of datasets that are not on this machine: the worker alone can tell whether it sees them.
    """

    project: int
    is_new: bool
    lacks: str
    has_worker: bool
    unseen: tuple[str, ...]
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


def request_training(
    context: CurationContext, project: int, datasets: Sequence[DatasetRef] = (), *, with_annotations: bool = True
) -> RequestedTraining:
    """Request a training of a new version for the project.

    Args:
        context: where Redis and Label Studio are.
        project: its number.
        datasets: what to train on beside the project's annotations.
        with_annotations: without, on the datasets alone.

    Raises:
        ConfigurationError: RECIPE is not set, or the recipe cannot be read.
        NotFound: there is no such project, or no such dataset.
        RequestInvalid: the project cannot train on datasets, or one of them lacks a column.
        SourceUnreachable: the Hub does not answer.
        TrainingRefused: the worker cannot train, or another training is under way; the message says why.
    """
    if context.settings.recipe is None:
        raise ConfigurationError(
            f"training is off: set RECIPE, here and at the worker, to one of {recipe_names()}, or to a file's path"
        )
    Recipe.load(context.settings.recipe)
    config = context.label_studio.projects.get(project).label_config
    store = context.store
    report = store.workers.last_report() if store.workers.alive() else None
    if report is not None and report.cannot_train:
        raise TrainingRefused(
            f"project {project}: no training is queued, since the worker cannot train: {report.cannot_train}"
        )
    refs = tuple(_checked(context, project, config, datasets, with_annotations))
    before = _newest_run(context, project)
    request = TrainingRequest(
        requested_by="command", at=datetime.now(UTC), datasets=refs, with_annotations=with_annotations
    )
    is_new = store.training.request(project, request)
    if is_new:
        context.jobs.train(project)
    else:
        _check_same(store.training.requested(project), request, project)
    summary = store.changes.summary(project)
    return RequestedTraining(
        project=project,
        is_new=is_new,
        lacks=summary.lacks if summary and not refs else "",
        has_worker=store.workers.alive(),
        unseen=tuple(ref.source for ref in refs if _is_unseen(ref)),
        _context=context,
        _run_before=before.id if before else None,
    )


def _checked(
    context: CurationContext, project: int, config: str, datasets: Sequence[DatasetRef], with_annotations: bool
) -> Iterator[DatasetRef]:
    """The datasets as the worker finds them, each checked as far as this machine sees it."""
    if not datasets:
        if not with_annotations:
            raise RequestInvalid(f"project {project}: a training without annotations takes a dataset: name one")
        return
    RowMaker.of(project, context.labeling(config, project))
    for ref in datasets:
        if unknown := ref.columns.keys() - {QUESTION, ANSWER}:
            raise RequestInvalid(
                f"a training reads the columns {QUESTION!r} and {ANSWER!r}, and not {min(unknown)!r}: map one of the two,"
                f" as in --map {QUESTION}=COLUMN"
            )
        path = Path(ref.source).expanduser()
        found = ref.model_copy(update={"source": str(path.resolve())}) if path.exists() else ref
        if not _is_unseen(found):
            check_columns(found)
        if folder_of(found) is None:
            ServingResolver(context.settings, context.store).resolve(project).required_prompt(project)
        yield found


def _is_unseen(ref: DatasetRef) -> bool:
    path = Path(ref.source)
    return path.is_absolute() and not path.exists()


def _check_same(running: TrainingRequest | None, wanted: TrainingRequest, project: int) -> None:
    """Raise TrainingRefused if the training that is under way has other datasets than the one that is wanted."""
    if running is None or not wanted.datasets:
        return
    if (running.datasets, running.with_annotations) != (wanted.datasets, wanted.with_annotations):
        raise TrainingRefused(
            f"project {project}: another training is requested or running, without these datasets: run this again when it"
            " has ended"
        )


def _newest_run(context: CurationContext, project: int) -> TrainingRun | None:
    return next(iter(context.store.runs.all(project)), None)
