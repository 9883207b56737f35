"""A look at Label Studio: what is annotated now, what follows for the project's prompt and for training."""

import logging
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

from annotune.errors import AnnotuneError, ConfigurationError, LabelingInvalid, NotFound
from annotune.label_studio.rows import TaskRow
from annotune.labeling.config import Labeling
from annotune.runs import PASSED, SyncSummary, TrainingRequest
from annotune.split import SplitAssignment
from annotune.store.store import Store
from annotune.store.trained import UNKNOWN, changed, settled
from curation.examples import AnswersOf, ExampleSet, collect_examples
from trainer.context import TrainerContext
from trainer.mark import keep_pointers
from trainer.prompts import newest_prompt, prompts_in
from trainer.scores import show_scores

TRAIN_EVERY = "TRAIN_EVERY"

_log = logging.getLogger(__name__)


def sync(context: TrainerContext, project: int) -> None:
    """Bring the prompt and the tally up to date, and ask for a training where enough is new.

    A project that Label Studio does not have is forgotten; without a key there is nothing to look at.

    Raises:
        LabelStudioError, Unauthorized, StoreUnavailable: the look is to be repeated.
    """
    try:
        tasks, labeling = read(context, project)
    except (ConfigurationError, LabelingInvalid) as error:
        _log.warning("project %d: not looked at: %s", project, error)
        return
    except NotFound as error:
        _log.warning("project %d: forgotten: %s", project, error)
        context.store.projects.forget(project)
        return
    _keep_prompt(context, project, tasks, labeling)
    show_scores(context, project)
    example_set = examples_of(context, project, tasks, labeling)
    new, unlearnt = _compare(context.store, project, example_set)
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
    if not _enough(context, project, example_set, new):
        return
    if context.store.training.request(project, TrainingRequest(requested_by=TRAIN_EVERY, at=datetime.now(UTC))):
        _log.info("project %d: %d annotations are new since the last try: training is asked for", project, new)
        context.jobs.train(project)


def is_gone(context: TrainerContext, project: int) -> bool:
    """Does Label Studio say that it has no such project? Not, where it does not answer or is not configured."""
    try:
        with closing(context.studio()) as studio:
            studio.projects.get(project)
    except NotFound:
        return True
    except AnnotuneError:
        return False
    return False


def read(context: TrainerContext, project: int) -> tuple[list[TaskRow], Labeling]:
    """A project's annotated tasks and its labeling config, as Label Studio has them now.

    Raises:
        ConfigurationError: LABEL_STUDIO_URL or LABEL_STUDIO_API_KEY is not set.
        LabelingInvalid: the config cannot be served.
        NotFound, Unauthorized, LabelStudioError: as LabelStudioClient's methods.
    """
    with closing(context.studio()) as studio:
        labeling = Labeling.from_settings(studio.projects.get(project).label_config, context.settings)
        return list(studio.tasks.annotated(project)), labeling


def examples_of(context: TrainerContext, project: int, tasks: list[TaskRow], labeling: Labeling) -> ExampleSet:
    """The examples of a project's tasks, by the answers that Redis remembers; the sides of new texts are decided."""
    store, settings = context.store, context.settings

    def split(texts: Sequence[str]) -> SplitAssignment:
        keep_pointers(store, settings.runs_dir, project)  # sides that Redis lost come back before any is decided
        found = store.splits.assign(project, texts, settings.min_examples)
        if found.new:
            keep_pointers(store, settings.runs_dir, project)
        return found

    system = store.prompts.system(project)
    return collect_examples(
        project, tasks, labeling, settings, _log_of(store, project, tasks), split=split, system=system
    )


def _log_of(store: Store, project: int, tasks: list[TaskRow]) -> AnswersOf:
    return store.answers.known_by_task(project, [task.id for task in tasks])


def _keep_prompt(context: TrainerContext, project: int, tasks: list[TaskRow], labeling: Labeling) -> None:
    store = context.store
    known = store.prompts.known(project) if store.prompts.seen(project) else frozenset[str]()
    found = newest_prompt(tasks, labeling, _log_of(store, project, tasks), known)
    stored = store.prompts.newest(project)
    if found and (stored is None or (found.text != stored.text and found.at > stored.at)):
        _log.info("project %d: %s brings a new version of its prompt", project, found.source)
        store.prompts.add(project, found)
    store.prompts.see(project, prompts_in(tasks, labeling))


def _compare(store: Store, project: int, example_set: ExampleSet) -> tuple[int, int]:
    """How many annotations hold what the last run did not try, and what no version learnt.

    Where an older version of Annotune kept the ids alone, what they hold now counts as what they held.
    """
    book, now = store.trained, example_set.contents
    tried = book.tried(project)
    if UNKNOWN in tried.values():
        tried = settled(tried, now)
        book.set_tried(project, tried)
    learnt = book.learnt(project) or {
        each: UNKNOWN for run in store.runs.all(project) if run.state in PASSED for each in run.annotations
    }
    if UNKNOWN in learnt.values():
        learnt = settled(learnt, now)
        book.add_learnt(project, learnt)
    return changed(now, tried), changed(now, learnt)


def _enough(context: TrainerContext, project: int, example_set: ExampleSet, new: int) -> bool:
    """Whether to train unasked. After a run that broke off before its training, only when somebody annotated since."""
    settings = context.settings
    if not settings.train_every or settings.recipe is None or new < settings.train_every:
        return False
    if example_set.lacks:
        _log.info("project %d: no training is asked for: %s", project, example_set.lacks)
        return False
    ended = context.store.runs.all(project)
    return (
        not ended or ended[0].reached_training or example_set.newest is None or example_set.newest > ended[0].started_at
    )
