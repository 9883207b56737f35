"""A look at Label Studio: what is annotated now, what follows for the project's prompt and for training."""

import logging
from contextlib import closing
from datetime import UTC, datetime

from annotune.dataset import FEWEST_HELD_OUT
from annotune.errors import ConfigurationError, LabelingInvalid, NotFound
from annotune.example import ProjectPrompt
from annotune.labeling import Labeling
from annotune.model import Tally, TrainingWanted
from annotune.studio import StudioTask
from trainer.examples import Lesson, newest_prompt, read_lesson
from trainer.workshop import Workshop

TRAIN_EVERY = "TRAIN_EVERY"

_log = logging.getLogger(__name__)


def look(workshop: Workshop, project: int) -> None:
    """Bring the prompt and the tally up to date, and ask for a training where enough is new.

    A project that Label Studio does not have is forgotten; without a key there is nothing to look at.

    Raises:
        LabelStudioError, Unauthorized, StoreUnavailable: the look is to be repeated.
    """
    try:
        tasks, labeling = read(workshop, project)
    except (ConfigurationError, LabelingInvalid) as error:
        _log.warning("project %d: not looked at: %s", project, error)
        return
    except NotFound as error:
        _log.warning("project %d: forgotten: %s", project, error)
        workshop.store.forget_project(project)
        return
    _keep_prompt(workshop, project, newest_prompt(tasks, labeling, lambda task: workshop.store.answers(project, task)))
    lesson = lesson_of(workshop, project, tasks, labeling)
    new = len(lesson.annotations - workshop.store.dataset(project))
    workshop.store.set_tally(
        project,
        Tally(
            usable=len(lesson.annotations),
            new=new,
            left_out=lesson.left_out,
            kinds=lesson.kinds,
            at=datetime.now(UTC),
        ),
    )
    if not _enough(workshop, project, lesson, new):
        return
    if workshop.store.want_training(project, TrainingWanted(requested_by=TRAIN_EVERY, at=datetime.now(UTC))):
        _log.info("project %d: %d annotations are new to the last dataset: training is asked for", project, new)
        workshop.jobs.train(project)


def read(workshop: Workshop, project: int) -> tuple[list[StudioTask], Labeling]:
    """A project's annotated tasks and its labeling config, as Label Studio has them now.

    Raises:
        ConfigurationError: LABEL_STUDIO_URL or LABEL_STUDIO_API_KEY is not set.
        LabelingInvalid: the config cannot be served.
        NotFound, Unauthorized, LabelStudioError: as Studio's methods.
    """
    with closing(workshop.studio()) as studio:
        settings = workshop.settings
        config = studio.project(project).label_config
        labeling = Labeling.parse(config, settings.prompt_prefix, settings.status_control, settings.answer_names)
        return list(studio.tasks(project)), labeling


def lesson_of(workshop: Workshop, project: int, tasks: list[StudioTask], labeling: Labeling) -> Lesson:
    """The examples of a project's tasks, by the answers that Redis remembers."""
    store = workshop.store
    system = store.prompts.system(project)
    return read_lesson(
        project, tasks, labeling, workshop.settings, lambda task: store.answers(project, task), system=system
    )


def _keep_prompt(workshop: Workshop, project: int, found: ProjectPrompt | None) -> None:
    stored = workshop.store.prompts.newest(project)
    if found is None or (stored and (found.text == stored.text or found.at <= stored.at)):
        return
    _log.info("project %d: %s brings a new version of its prompt", project, found.source)
    workshop.store.set_prompt(project, found)


def _enough(workshop: Workshop, project: int, lesson: Lesson, new: int) -> bool:
    """Whether to train unasked. What was refused or failed is tried again only when somebody annotates further."""
    settings = workshop.settings
    if not settings.train_every or settings.recipe is None or new < settings.train_every:
        return False
    if len(lesson.train) < settings.min_examples or len(lesson.held_out) < FEWEST_HELD_OUT:
        return False
    ended = workshop.store.runs(project)
    return not ended or lesson.newest is None or lesson.newest > ended[0].started_at
