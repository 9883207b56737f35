"""The two jobs of the queues. Each runs in a process of its own."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from annotune.errors import AnnotuneError, RecordUnreadable, StoreUnavailable, TrainingCancelled, TrainingRefused
from annotune.lease import LEASE_TIMING, LeaseTiming, lease
from annotune.log import traceback_of
from annotune.runs import TrainingRequest, TrainingRun
from trainer.context import TrainerContext, open_trainer_context
from trainer.mark import back_up_project, restore_if_emptied
from trainer.pipeline import run_training
from trainer.sync import is_gone, sync

Train = Callable[[TrainerContext, int, TrainingRequest], TrainingRun]

_log = logging.getLogger(__name__)


def project_changed(project: int) -> None:
    """The job "project N changed"."""
    try:
        sync_under_lease(open_trainer_context(), project)
    except AnnotuneError as error:
        _log.warning("project %d: the sync with Label Studio failed and will be repeated: %s", project, error)


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
    """Sync a project once, and back up what Redis alone knows of it.

    If a change arrives meanwhile, another job is queued behind those of other projects. A job that finds the lease taken
    ends: the holder compares the counter of changes after it has released the lease.

    Raises:
        StoreUnavailable: Redis is away.
        AnnotuneError: as `sync_project`; what Redis knows is backed up all the same.
    """
    store, runs_dir = context.store, context.settings.runs_dir
    restore_if_emptied(store, runs_dir, project)  # before anything is written to Redis
    store.changes.take_queued(project)
    with lease(store, project, "changed", timing) as held:
        if not held.taken:
            return
        seen = store.changes.count(project)
        try:
            sync_project(context, project)
        finally:  # a sync that failed is repeated with the next change or reconciliation, one that was killed sooner
            if store.projects.knows(project):
                store.changes.set_synced(project, seen)
                back_up_project(store, runs_dir, project)
    if store.projects.knows(project) and store.changes.count(project) != seen and store.changes.note_queued(project):
        context.jobs.sync(project)


def train_under_lease(
    context: TrainerContext, project: int, run_training: Train, *, timing: LeaseTiming = LEASE_TIMING
) -> None:
    """Carry out the training that is requested, unless none is or another process is at it.

    The request ends with the run, however that ended. If the run was stopped from outside, the request stays, and the
    reconciliation queues it again.

    Raises:
        StoreUnavailable: Redis is away.
    """
    store = context.store
    restore_if_emptied(store, context.settings.runs_dir, project)
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
        except RecordUnreadable as error:  # the manifest has it; a request that stayed would train without end
            _log.warning("project %d: run %s is not listed: %s", project, run.id, error)
        store.training.end(project)
    context.jobs.changed(project)


def _run(context: TrainerContext, project: int, request: TrainingRequest, run_training: Train) -> TrainingRun | None:
    """The run, also one that failed before it had a folder. None if it was stopped from outside."""
    began = datetime.now(UTC)
    try:
        run = run_training(context, project, request)
    except (TrainingCancelled, StoreUnavailable) as error:
        _log.warning("project %d: the training was stopped and will start anew: %s", project, error)
        return None
    except TrainingRefused as error:
        _log.warning("project %d: no training: %s", project, error)
        return _run_without_folder(project, request, began, "refused", str(error))
    except AnnotuneError as error:
        _log.warning("project %d: the training failed: %s", project, error)
        return _run_without_folder(project, request, began, "failed", str(error))
    except Exception as error:  # noqa: BLE001 - whatever it was, the request must end, or it would fail for ever
        _log.error("project %d: the training failed\n%s", project, traceback_of(error))
        reason = f"{type(error).__name__}: the worker's log has the rest"
        return _run_without_folder(project, request, began, "failed", reason)
    _log.info("project %d: run %s ended: %s %s", project, run.id, run.state, run.reason)
    return run


def _run_without_folder(
    project: int, request: TrainingRequest, began: datetime, state: str, reason: str
) -> TrainingRun:
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
