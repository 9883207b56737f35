"""A sync with Label Studio: what is annotated now, and what follows for the project's prompt and its training."""

import logging
from contextlib import closing
from datetime import UTC, datetime

from annotune.errors import AnnotuneError, ConfigurationError, LabelingInvalid, NotFound
from annotune.runs import PASSED, SyncSummary, TrainingRequest
from annotune.store.store import Store
from annotune.store.trained import UNKNOWN, count_changed, fill_unknown
from curation.examples import ExampleSet
from trainer.context import TrainerContext
from trainer.prompts import newest_prompt, prompts_in
from trainer.scores import show_scores
from trainer.snapshot import Snapshot, examples_of, read_snapshot

TRAIN_EVERY = "TRAIN_EVERY"

_log = logging.getLogger(__name__)


def sync(context: TrainerContext, project: int) -> None:
    """Update the project's prompt and its summary, and request a training where enough annotations are new.

    A project that Label Studio does not have is forgotten. Without a key for Label Studio nothing happens, nor in a project
    that people alone fill, such as a review: no model learns there.

    Raises:
        LabelStudioError, Unauthorized, StoreUnavailable: the sync is to be repeated.
    """
    try:
        snapshot = read_snapshot(context, project)
    except (ConfigurationError, LabelingInvalid) as error:
        if context.store.options.get(project).fills == ():
            return
        _log.warning("project %d: not synced: %s", project, error)
        return
    except NotFound as error:
        _log.warning("project %d: forgotten: %s", project, error)
        context.store.projects.forget(project)
        return
    _update_prompt(context.store, snapshot)
    show_scores(context, snapshot.project)
    example_set = examples_of(context, snapshot)
    new, unlearnt = _count_new(context.store, project, example_set)
    context.store.changes.set_summary(
        project,
        SyncSummary(
            usable=len(example_set.contents),
            new=new,
            unlearnt=unlearnt,
            left_out=example_set.left_out,
            kinds=example_set.kinds,
            at=datetime.now(UTC),
            lacks=example_set.lacks,
        ),
    )
    if _should_train(context, project, example_set, new):
        _request_training(context, project, new)


def is_gone(context: TrainerContext, project: int) -> bool:
    """Whether Label Studio says that it has no such project. False if it does not answer or is not configured."""
    try:
        with closing(context.studio()) as studio:
            studio.projects.get(project)
    except NotFound:
        return True
    except AnnotuneError:
        return False
    return False


def _update_prompt(store: Store, snapshot: Snapshot) -> None:
    """Use the prompt of the newest annotation that brings one, unless a newer one is stored."""
    project, prompts = snapshot.project.id, store.prompts
    known = prompts.known(project) if prompts.seen(project) else frozenset[str]()
    found = newest_prompt(snapshot.tasks, snapshot.labeling, snapshot.answers_of, known)
    stored = prompts.newest(project)
    if found and (stored is None or (found.text != stored.text and found.at > stored.at)):
        _log.info("project %d: %s brings a new version of its prompt", project, found.source)
        store.prompts.add(project, found)
    prompts.add_seen(project, prompts_in(snapshot.tasks, snapshot.labeling))


def _count_new(store: Store, project: int, example_set: ExampleSet) -> tuple[int, int]:
    """How many annotations hold what the last run did not try, and how many what no version has learnt.

    An older version of Annotune kept only their ids. Then what they hold now counts as what they held.
    """
    trained, now = store.trained, example_set.contents
    tried = trained.tried(project)
    if UNKNOWN in tried.values():
        tried = fill_unknown(tried, now)
        trained.set_tried(project, tried)
    learnt = trained.learnt(project) or {
        annotation: UNKNOWN for run in store.runs.all(project) if run.state in PASSED for annotation in run.annotations
    }
    if UNKNOWN in learnt.values():
        learnt = fill_unknown(learnt, now)
        trained.add_learnt(project, learnt)
    return count_changed(now, tried), count_changed(now, learnt)


def _should_train(context: TrainerContext, project: int, example_set: ExampleSet, new: int) -> bool:
    """Whether TRAIN_EVERY asks for a training now. After a run that failed before its training, only if somebody has
    annotated since.
    """
    settings = context.settings
    if not settings.train_every or settings.recipe is None or new < settings.train_every:
        return False
    if example_set.lacks:
        _log.info("project %d: no training is requested: %s", project, example_set.lacks)
        return False
    last_run = next(iter(context.store.runs.all(project)), None)
    return (
        last_run is None
        or last_run.reached_training
        or example_set.newest is None
        or example_set.newest > last_run.started_at
    )


def _request_training(context: TrainerContext, project: int, new: int) -> None:
    if context.store.training.request(project, TrainingRequest(requested_by=TRAIN_EVERY, at=datetime.now(UTC))):
        _log.info("project %d: %d annotations are new since the last try: a training is requested", project, new)
        context.jobs.train(project)
