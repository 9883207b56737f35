"""One annotation as an example, or the reason why it is left out."""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Literal

from annotune.answer import Answer
from annotune.errors import AnswerInvalid, RequestInvalid
from annotune.label_studio.rows import AnnotationRow, PredictionRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.labeling.controls import is_text
from annotune.labeling.regions import UNTOUCHED, region_text, valid_unicode
from annotune.log import unexpected
from annotune.prompt import Prompt
from annotune.question import ask_messages
from annotune.settings import Settings
from curation.example import Example, Origin

# The answer log has the backend's clock, annotations have Label Studio's.
CLOCKS_DIFFER = timedelta(seconds=5)


CONTENT_SHOWN = 12

Reason = Literal[
    "skipped",
    "empty",
    "older",
    "uncertain",
    "no field",
    "no prompt",
    "other prompt",
    "cut",
    "incomplete",
    "picture",
    "too long",
    "unreadable",
]

_log = logging.getLogger(__name__)


def prediction_of(task: TaskRow, annotation: AnnotationRow) -> PredictionRow | None:
    """What an annotation was made from."""
    return next((found for found in task.predictions if found.id == annotation.parent_prediction), None)


def prompt_of(prediction: PredictionRow, labeling: Labeling, log: Sequence[Answer]) -> str | None:
    """The prompt that a prediction came with; None where neither its regions nor the log tell."""
    stored = region_text(prediction.result, labeling.prompt_control)
    if stored is not None:
        return valid_unicode(stored)
    said = (labeling.answer(prediction.result) or "").strip()
    return _only(
        given.prompt for given in log if given.model_version == prediction.model_version and given.text.strip() == said
    )


def prompt_in(annotation: AnnotationRow | PredictionRow, labeling: Labeling) -> str | None:
    """The prompt that an annotation or a prediction holds."""
    text = region_text(annotation.result, labeling.prompt_control)
    return None if text is None else valid_unicode(text)


def _without_answer(annotation: AnnotationRow, labeling: Labeling) -> Reason | None:
    if annotation.was_cancelled:
        return "skipped"
    try:
        return None if labeling.answers(annotation.result) else "empty"
    except Exception as error:  # noqa: BLE001 - as above
        _log.warning("annotation %d is left out: %s", annotation.id, unexpected(error))
        return "unreadable"


def _unfit(task: TaskRow, labeling: Labeling, texts: Sequence[str]) -> Reason | None:
    if len(texts) > 1:
        return "uncertain"
    if any(item.is_image for item in labeling.objects):
        return "picture"
    if not is_text(texts[0]):
        return "unreadable"
    try:
        labeling.text_of(task.data)
        labeling.regions(texts[0], task.data)
    except RequestInvalid:
        return "no field"
    except AnswerInvalid:
        return "incomplete"
    return None


def _example(
    project: int,
    task: TaskRow,
    annotation: AnnotationRow,
    *,
    labeling: Labeling,
    settings: Settings,
    log: Sequence[Answer],
    system: str | None,
) -> Example | Reason:
    texts = labeling.answers(annotation.result)
    unfit = _unfit(task, labeling, texts)
    if unfit:
        return unfit
    answer, prediction = texts[0].strip(), prediction_of(task, annotation)
    before = [given for given in log if given.at <= annotation.updated_at + CLOCKS_DIFFER]
    # An answer of this very text was seen, whatever its clock says: the time decides only among several.
    same = [given for given in before if given.text.strip() == answer]
    same = same or [given for given in log if given.text.strip() == answer]
    asked = prompt_in(annotation, labeling)
    if asked is None:
        asked = _asked(prediction, labeling, before, log) if prediction else _only(one.prompt for one in same or before)
    if asked is None:
        return "no prompt"
    if _is_to_another(asked, answer, annotation, labeling, _said(task, labeling, log)):
        return "other prompt"
    if any(given.cut for given in same):
        return "cut"
    prompt = Prompt(asked, settings.template, settings.system_prompt if system is None else system)
    try:
        messages = ask_messages(labeling, prompt, task.data)
    except RequestInvalid:  # the task has all fields
        return "too long"
    stored = (labeling.answer(prediction.result) if prediction else None) or ""
    kind, said = _kind(
        answer, [*([stored.strip()] if stored else []), *(given.text.strip() for given in same or before)]
    )
    return Example(
        messages=messages,
        answer=answer,
        origin=Origin(
            project=project,
            task=task.id,
            annotation=annotation.id,
            annotator=annotation.completed_by,
            prompt_sha=prompt.sha,
            kind=kind,
            said=said,
            content=_content(labeling, asked, task, answer),
        ),
    )


def _asked(
    prediction: PredictionRow, labeling: Labeling, before: Sequence[Answer], log: Sequence[Answer]
) -> str | None:
    return prompt_of(prediction, labeling, before) or prompt_of(prediction, labeling, log)


def _said(task: TaskRow, labeling: Labeling, log: Sequence[Answer]) -> list[tuple[str, str]]:
    """All prompts and answers to them that are known of a task; none where an answer is known to be missing."""
    if any(given.lost for given in log):
        return []
    stored = [(prompt_in(found, labeling), labeling.answer(found.result)) for found in task.predictions]
    return [
        *((given.prompt, given.text) for given in log),
        *((asked, said) for asked, said in stored if asked and said),
    ]


def _is_to_another(
    asked: str, answer: str, annotation: AnnotationRow, labeling: Labeling, said: Sequence[tuple[str, str]]
) -> bool:
    """Whether an answer of ours stands there, and none is known to the prompt beside it: only to others."""
    if not said or any(prompt.strip() == asked.strip() for prompt, _ in said):
        return False
    names = {control.name for control in labeling.controls}
    ours = [region for region in annotation.result if region.get("origin") == UNTOUCHED]
    return any(region.get("from_name") in names for region in ours) or any(text.strip() == answer for _, text in said)


def _content(labeling: Labeling, asked: str, task: TaskRow, answer: str) -> str:
    """A short sha of what people may change: the prompt as written, what of the task it is about, the answer.

    Neither the template nor the system message: a new one is no correction of anybody's, and would be one of all.
    """
    labelled = {item.field for item in labeling.objects}
    about = {name: value for name, value in task.data.items() if name in labelled or f"{{{name}}}" in asked}
    return hashlib.sha256(json.dumps([asked, about, answer], sort_keys=True).encode()).hexdigest()[:CONTENT_SHOWN]


def _only(prompts: Iterable[str]) -> str | None:
    """The one prompt that all answers had; None where there are none or several: then nobody knows."""
    distinct = set(prompts)
    return distinct.pop() if len(distinct) == 1 else None


def _kind(answer: str, given: Sequence[str]) -> tuple[Literal["typed", "accepted", "corrected"], str | None]:
    if not given:
        return "typed", None
    return ("accepted", None) if answer in given else ("corrected", given[-1])
