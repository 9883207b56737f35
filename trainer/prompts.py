"""The prompt that a project's annotations bring along."""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime

from annotune.label_studio.rows import AnnotationRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.log import log_unexpected
from annotune.prompt import ProjectPrompt
from annotune.store.prompts import text_sha
from curation.annotation import prediction_of, prompt_of
from curation.draft import prompt_in
from curation.examples import AnswersOf

_log = logging.getLogger(__name__)


def newest_prompt(
    tasks: Iterable[TaskRow], labeling: Labeling, answers_of: AnswersOf, known: Collection[str]
) -> ProjectPrompt | None:
    """The prompt of the newest submitted annotation whose prompt is another than that of its prediction.

    A person who corrects an answer leaves the prompt beside it as it is, and does not choose it. So an annotation dates
    from its last change only if its prompt is a new text, and else from its creation.

    Args:
        tasks: as `Tasks.annotated` of the client yields them.
        labeling: the project's labeling config.
        answers_of: the answers that the backend gave for a task.
        known: as `PromptStore.known`; empty at the first sync, when nobody knows which text is new.
    """
    dated = [
        (_date(annotation, text, known), annotation.id, text, annotation, task)
        for task in tasks
        for annotation in task.annotations
        if not annotation.was_cancelled and (text := prompt_in(annotation, labeling)) is not None
    ]
    for at, number, text, annotation, task in sorted(dated, key=lambda entry: entry[:2], reverse=True):
        if not _is_of_prediction(task, annotation, text, labeling, answers_of):
            return ProjectPrompt(text=text, source=f"annotation {number}", at=at)
    return None


def prompts_in(tasks: Iterable[TaskRow], labeling: Labeling) -> frozenset[str]:
    """The prompts that annotations hold."""
    found = (prompt_in(annotation, labeling) for task in tasks for annotation in task.annotations)
    return frozenset(text for text in found if text is not None)


def _date(annotation: AnnotationRow, text: str, known: Collection[str]) -> datetime:
    return annotation.updated_at if known and text_sha(text) not in known else annotation.created_at


def _is_of_prediction(
    task: TaskRow, annotation: AnnotationRow, text: str, labeling: Labeling, answers_of: AnswersOf
) -> bool:
    prediction = prediction_of(task, annotation)
    if prediction is None:
        return False
    if not prediction.readable:  # it may have had any prompt
        return True
    answers = answers_of(task.id)
    try:
        return text == prompt_of(prediction, labeling, answers)
    except Exception as error:  # noqa: BLE001 - whatever one task holds, the others' prompts are read
        _log.warning("task %d: its prompt is left out: %s", task.id, log_unexpected(error))
        return True
