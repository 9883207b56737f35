"""The facts of a deployment and its projects, for whoever shows them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from annotune.checks import check_worker, require_model
from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, ModelServerError, NotFound, RecordUnreadable
from annotune.models import ModelRef, ModelVersion
from annotune.runs import Progress, SyncSummary, TrainingRequest, TrainingRun
from annotune.servers.pool import capabilities_of
from annotune.serving import DefaultModel, Serving, ServingResolver
from annotune.settings import Settings
from annotune.store.queue import CHANGES, TRAINING, JobQueue
from annotune.store.reports import Batch
from annotune.store.store import Store
from annotune.store.workers import Check, WorkerReport

CHECK_S = 5.0
LOSS = "tuned_loss"
ReadTitle = Callable[[int], str]
"""Asks Label Studio for a project's title. Raises NotFound, LabelStudioError or Unauthorized."""


@dataclass(frozen=True)
class DeploymentOverview:
    """The workers and the queue.

    `worker` checks that one is alive; `report` is None if none is, or if it reports nothing. `changes` and `trainings`
    count the jobs that wait. `recipe` is the setting of this process; the worker may have another.
    """

    worker: Check
    report: WorkerReport | None
    changes: int
    trainings: int
    recipe: str | None


@dataclass(frozen=True)
class Title:
    """A project's title in Label Studio: None if it is not known, with the error if there was one."""

    text: str | None
    error: str = ""


@dataclass(frozen=True)
class UnreadableProject:
    """A project with a record that this version cannot read."""

    project: int
    title: Title
    error: str


@dataclass(frozen=True)
class ProjectOverview:
    """What answers a project, its annotations, and its trainings.

    `model` is the live model, else the default one. `model_error` says why it cannot answer; only Ollama is asked.
    `progress` is None unless a training runs, `request` unless one waits or runs. `last_run` is the run that ended last.
    `scores_error` says why the Data Manager does not show the model's scores.
    """

    project: int
    title: Title
    model: ModelRef | DefaultModel
    model_error: str
    serving: Serving
    annotations: SyncSummary | None
    request: TrainingRequest | None
    progress: Progress | None
    last_run: TrainingRun | None
    batch: Batch | None
    scores_error: str


@dataclass(frozen=True)
class VersionOverview:
    """A version, whether it is the live model, and its loss on held-out examples in nats a token (None: not known)."""

    version: ModelVersion
    live: bool
    held_out_loss: float | None


class OverviewReader:
    """Reads the facts from Redis, Ollama and Label Studio. A server that does not answer is asked once.

    Without `read_title` titles are not known. The client of Label Studio is not loaded here: it takes 58 MB.
    """

    def __init__(self, settings: Settings, store: Store, jobs: JobQueue, read_title: ReadTitle | None = None) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._resolver = ServingResolver(settings, store)
        self._read_title = read_title
        self._ollama_error = ""
        self._label_studio_error = ""

    def deployment(self) -> DeploymentOverview:
        """Raises StoreUnavailable."""
        waiting, worker = self._jobs.lengths(), check_worker(self._store)
        return DeploymentOverview(
            worker=worker,
            report=self._store.workers.last_report() if worker.ok else None,
            changes=waiting[CHANGES],
            trainings=waiting[TRAINING],
            recipe=self._settings.recipe,
        )

    def projects(self) -> Iterator[ProjectOverview | UnreadableProject]:
        """All projects, by number. Raises StoreUnavailable."""
        for project in self._store.projects.all():
            title = self._title(project)
            try:
                yield self._project(project, title)
            except RecordUnreadable as error:
                yield UnreadableProject(project, title, str(error))

    def _project(self, project: int, title: Title) -> ProjectOverview:
        store, serving = self._store, self._resolver.resolve(project)
        # A lease outlives a worker that dies.
        runs_now = store.leases.held(project, "training") and store.workers.alive()
        return ProjectOverview(
            project=project,
            title=title,
            model=store.live.get(project) or self._resolver.default_model(project),
            model_error=self._model_error(serving.ref),
            serving=serving,
            annotations=store.changes.summary(project),
            request=store.training.requested(project),
            progress=store.training.progress(project) if runs_now else None,
            last_run=next(iter(store.runs.all(project)), None),
            batch=store.reports.batch(project),
            scores_error=store.reports.scores_missing(project),
        )

    def _model_error(self, ref: ModelRef) -> str:
        if not capabilities_of(ref.server).registry:
            return ""
        if not self._ollama_error:
            try:
                require_model(self._settings, ref, Deadline.after(CHECK_S))
            except NotFound as error:
                return str(error)
            except ModelServerError as error:
                self._ollama_error = str(error)
        return self._ollama_error

    def _title(self, project: int) -> Title:
        if self._read_title is None:
            return Title(None)
        if not self._label_studio_error:
            try:
                return Title(self._read_title(project))
            except NotFound as error:
                return Title(None, str(error))
            except AnnotuneError as error:
                self._label_studio_error = str(error)
        return Title(None, self._label_studio_error)


def version_overviews(store: Store, project: int) -> list[VersionOverview]:
    """A project's versions, newest first.

    Raises:
        RecordUnreadable, StoreUnavailable: they cannot be read.
    """
    live = store.live.get(project)
    losses = {run.id: run.metrics.get(LOSS) for run in store.runs.all(project)}
    return [
        VersionOverview(version, live is not None and live.model == version.model, losses.get(version.run))
        for version in reversed(store.versions.all(project))
    ]
