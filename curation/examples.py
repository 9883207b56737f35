"""What people submitted, as something to learn from; what is not certain is left out and counted."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from annotune.split import SplitAssignment, text_sha
from curation.example import Example, Origin

# The answer log has the backend's clock, annotations have Label Studio's.
CLOCKS_DIFFER = timedelta(seconds=5)
CONTENT_SHOWN = 12
TASKS_TOLD = 10

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
Log = Callable[[int], Sequence[Answer]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExampleSet:
    """The examples of both sides, and how many annotations were left out, by reason; `lacks` as in `SplitAssignment`.

    Reasons: `skipped`; `empty`: without an answer; `older`: of a task that has a later one; `uncertain`: more than one text
    for the answer; `no field`: the task lacks what the config labels; `no prompt`: nobody knows what was asked;
    `other prompt`: an answer to an earlier prompt was left where this one was never answered;
    `cut`: an answer that the token limit ended was accepted as it was; `incomplete`: a control that the model fills was left
    empty, or holds what cannot be read (a label that was renamed); `picture`: what is labelled is one, and a training reads
    texts alone; `too long`: once its placeholders are filled the prompt is longer than any model reads; `unreadable`: Label
    Studio holds what is no annotation, or what no file can.
    """

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    left_out: dict[str, int]
    newest: datetime | None
    lacks: str = ""

    @property
    def examples(self) -> tuple[Example, ...]:
        return (*self.train, *self.held_out)

    @property
    def contents(self) -> dict[int, str]:
        """Of the annotations that became examples: what each teaches (`Origin.content`), by id."""
        return {example.origin.annotation: example.origin.content for example in self.examples}

    @property
    def annotations(self) -> frozenset[int]:
        """Ids of the annotations that became examples."""
        return frozenset(self.contents)

    @property
    def kinds(self) -> dict[str, int]:
        """How many were typed, accepted, corrected."""
        return dict(Counter(example.origin.kind for example in self.examples))


def collect_examples(
    project: int,
    tasks: Iterable[TaskRow],
    labeling: Labeling,
    settings: Settings,
    log: Log,
    *,
    split: Callable[[Sequence[str]], SplitAssignment],
    system: str | None = None,
) -> ExampleSet:
    """Examples from a project's tasks. What is odd about one costs no other its example.

    Args:
        project: its id.
        tasks: as `LabelStudioClient.tasks` gives them.
        labeling: the project's config.
        settings: for the template and the system prompt, the same that the backend renders with.
        log: the answers that the backend gave for a task, oldest first.
        split: the sides of texts by their shas, of all examples at once; what is undecided counts as to be trained on.
        system: the project's own system prompt, where it has one.
    """
    examples: list[tuple[str, Example]] = []
    left_out: Counter[str] = Counter()
    newest: datetime | None = None
    odd: list[int] = []
    for task in tasks:
        odd += [task.id] if task.is_odd else []
        left_out["unreadable"] += task.unreadable
        answered = []
        for annotation in task.annotations:
            reason = _without_answer(annotation, labeling)
            if reason:
                left_out[reason] += 1
            else:
                answered.append(annotation)
        if not answered:
            continue
        left_out["older"] += len(answered) - 1
        latest = max(answered, key=lambda annotation: (annotation.updated_at, annotation.id))
        given = log(task.id)
        try:
            found = _example(project, task, latest, labeling=labeling, settings=settings, log=given, system=system)
        except Exception as error:  # noqa: BLE001 - whatever one task holds, the others are learnt from
            _log.warning("project %d: task %d is left out: %s", project, task.id, unexpected(error))
            found = "unreadable"
        if not isinstance(found, Example):
            left_out[found] += 1
            continue
        examples.append((text_sha(labeling.labelled_text(task.data)), found))
        newest = latest.updated_at if newest is None else max(newest, latest.updated_at)
    if odd:
        _log.warning("project %d: what cannot be read in these tasks is left out: %s", project, _listed(odd))
    counted = {reason: count for reason, count in sorted(left_out.items()) if count}
    divided = split([sha for sha, _ in examples])
    held_out = tuple(example for sha, example in examples if divided.splits.get(sha) == "eval")
    train = tuple(example for sha, example in examples if divided.splits.get(sha) != "eval")
    return ExampleSet(train, held_out, counted, newest, divided.lacks)


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
    prompt = Prompt.from_settings(asked, settings, system)
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


def _listed(tasks: Sequence[int]) -> str:
    more = f" and {len(tasks) - TASKS_TOLD} more" if len(tasks) > TASKS_TOLD else ""
    return f"{', '.join(map(str, tasks[:TASKS_TOLD]))}{more}"
