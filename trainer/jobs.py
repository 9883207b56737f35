"""The two jobs of the queues. Each runs in a process of its own."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from annotune.errors import AnnotuneError, RecordUnreadable, StoreUnavailable, TrainingCancelled, TrainingRefused
from annotune.lease import LEASE_TIMING, LeaseTiming, lease
from annotune.log import where
from annotune.runs import TrainingRequest, TrainingRun
from trainer.context import TrainerContext, open_trainer_context
from trainer.mark import keep_pointers
from trainer.pipeline import run_training
from trainer.sync import is_gone, sync

Train = Callable[[TrainerContext, int, TrainingRequest], TrainingRun]

_log = logging.getLogger(__name__)


def project_changed(project: int) -> None:
    """The job "project N changed"."""
    try:
        sync_under_lease(open_trainer_context(), project)
    except AnnotuneError as error:
        _log.warning("project %d: the look at Label Studio failed and will be repeated: %s", project, error)


def train_project(project: int) -> None:
    """The job "train project N"."""
    try:
        train_under_lease(open_trainer_context(), project, run_training)
    except AnnotuneError as error:
        _log.warning("project %d: the end of its training is not recorded: %s", project, error)


def sync_under_lease(
    context: TrainerContext,
    project: int,
    *,
    sync_project: Callable[[TrainerContext, int], None] = sync,
    timing: LeaseTiming = LEASE_TIMING,
) -> None:
    """Look at Label Studio once, and write down what Redis alone knows of the project. If a change has come meanwhile, the
    next look waits behind those at other projects.

    Whoever finds the lease taken may leave: its holder compares the counter after having given the lease back.
    """
    store, runs_dir = context.store, context.settings.runs_dir
    keep_pointers(store, runs_dir, project)  # where Redis was emptied, all comes back before anything is put there
    store.changes.take_queued(project)
    with lease(store, project, "changed", timing) as held:
        if not held.taken:
            return
        seen = store.changes.count(project)
        try:
            sync_project(context, project)
        finally:  # one that failed is repeated with the next change or reconciliation, one that was killed sooner
            if store.projects.knows(project):
                store.changes.set_synced(project, seen)
                keep_pointers(store, runs_dir, project)
    if store.projects.knows(project) and store.changes.count(project) != seen and store.changes.note_queued(project):
        context.jobs.sync(project)


def train_under_lease(
    context: TrainerContext, project: int, run_training: Train, *, timing: LeaseTiming = LEASE_TIMING
) -> None:
    """Carry out the training that is wanted, if one is and nobody else is at it.

    The wish ends with the run, whatever became of it; where the run was stopped from outside it stays, and the
    reconciliation queues it again.
    """
    store = context.store
    keep_pointers(store, context.settings.runs_dir, project)
    with lease(store, project, "training", timing) as held:
        request = store.training.requested(project)
        if request is None or not held.taken:
            return
        if is_gone(context, project):
            _log.warning("project %d: not trained, and forgotten: Label Studio has no such project", project)
            store.projects.forget(project)
            return
        run = _run(replace(context, cancelled=held.lost), project, request, run_training)
        if run is None or held.lost():
            return
        try:
            store.runs.save(run)
        except RecordUnreadable as error:  # the manifest has it; a wish that stayed would train without end
            _log.warning("project %d: run %s is not listed: %s", project, run.id, error)
        store.training.end(project)
    context.jobs.changed(project)


def _run(context: TrainerContext, project: int, request: TrainingRequest, run_training: Train) -> TrainingRun | None:
    began = datetime.now(UTC)
    try:
        run = run_training(context, project, request)
    except (TrainingCancelled, StoreUnavailable) as error:
        _log.warning("project %d: the training was stopped and will start anew: %s", project, error)
        return None
    except TrainingRefused as error:
        _log.warning("project %d: no training: %s", project, error)
        return _ended(project, request, began, "refused", str(error))
    except AnnotuneError as error:
        _log.warning("project %d: the training failed: %s", project, error)
        return _ended(project, request, began, "failed", str(error))
    except Exception as error:  # noqa: BLE001 - whatever it was, the wish must end, or it would fail for ever
        _log.error("project %d: the training failed\n%s", project, where(error))
        return _ended(project, request, began, "failed", f"{type(error).__name__}: the worker's log has the rest")
    _log.info("project %d: run %s ended: %s %s", project, run.id, run.state, run.reason)
    return run


def _ended(project: int, request: TrainingRequest, began: datetime, state: str, reason: str) -> TrainingRun:
    """A run that made nothing: it has no number and no folder."""
    return TrainingRun.model_validate(
        {
            "id": f"{began:%Y%m%dT%H%M%S%f}",
            "project": project,
            "number": 0,
            "state": state,
            "reason": reason,
            "started_at": began,
            "ended_at": datetime.now(UTC),
            "requested_by": request.requested_by,
        }
    )
