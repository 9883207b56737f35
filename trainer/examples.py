"""What people submitted, as something to learn from; what is not certain is left out and counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from annotune.dataset import side
from annotune.errors import AnswerInvalid, RequestInvalid
from annotune.example import Answer, Example, Origin, ProjectPrompt
from annotune.labeling import Labeling
from annotune.prompt import Prompt
from annotune.question import ask_messages
from annotune.regions import region_text
from annotune.settings import Settings
from annotune.studio import StudioAnnotation, StudioPrediction, StudioTask

# The answer log has the backend's clock, annotations have Label Studio's.
CLOCKS_DIFFER = timedelta(seconds=5)

Reason = Literal["skipped", "empty", "older", "uncertain", "no field", "no prompt", "cut", "incomplete", "picture"]
Log = Callable[[int], Sequence[Answer]]


@dataclass(frozen=True)
class Lesson:
    """The examples of both sides, and how many annotations were left out, by reason.

    Reasons: `skipped`; `empty`: without an answer; `older`: of a task that has a later one; `uncertain`: more than one text
    for the answer; `no field`: the task lacks what the config labels; `no prompt`: nobody knows what was asked;
    `cut`: an answer that the token limit ended was accepted as it was; `incomplete`: a control that the model fills was left
    empty; `picture`: what is labelled is one, and a training reads texts alone.
    """

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    left_out: dict[str, int]
    newest: datetime | None

    @property
    def examples(self) -> tuple[Example, ...]:
        return (*self.train, *self.held_out)

    @property
    def annotations(self) -> frozenset[int]:
        """Ids of the annotations that became examples."""
        return frozenset(example.origin.annotation for example in self.examples)

    @property
    def kinds(self) -> dict[str, int]:
        """How many were typed, accepted, corrected."""
        return dict(Counter(example.origin.kind for example in self.examples))


def read_lesson(
    project: int,
    tasks: Iterable[StudioTask],
    labeling: Labeling,
    settings: Settings,
    log: Log,
    *,
    system: str | None = None,
) -> Lesson:
    """Examples from a project's tasks.

    Args:
        project: its id.
        tasks: as `Studio.tasks` gives them.
        labeling: the project's config.
        settings: for the template and the system prompt, the same that the backend renders with.
        system: the project's own system prompt, where it has one.
        log: the answers that the backend gave for a task, oldest first.
    """
    sides: dict[str, list[Example]] = {"train": [], "eval": []}
    left_out: Counter[str] = Counter()
    newest: datetime | None = None
    for task in tasks:
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
        found = _example(project, task, latest, labeling=labeling, settings=settings, log=log(task.id), system=system)
        if not isinstance(found, Example):
            left_out[found] += 1
            continue
        sides[side(labeling.text_of(task.data))].append(found)
        newest = latest.updated_at if newest is None else max(newest, latest.updated_at)
    counted = {reason: count for reason, count in sorted(left_out.items()) if count}
    return Lesson(tuple(sides["train"]), tuple(sides["eval"]), counted, newest)


def newest_prompt(tasks: Iterable[StudioTask], labeling: Labeling, log: Log) -> ProjectPrompt | None:
    """The prompt of the newest submitted annotation whose prompt is not the one that its prediction came with."""
    submitted = [
        (annotation, task) for task in tasks for annotation in task.annotations if not annotation.was_cancelled
    ]
    for annotation, task in sorted(submitted, key=lambda pair: (pair[0].updated_at, pair[0].id), reverse=True):
        text = region_text(annotation.result, labeling.prompt_control)
        if text is None:
            continue
        prediction = _prediction(task, annotation)
        if prediction and text == _prompt_of(prediction, labeling, log(task.id)):
            continue
        return ProjectPrompt(text=text, source=f"annotation {annotation.id}", at=annotation.updated_at)
    return None


def _without_answer(annotation: StudioAnnotation, labeling: Labeling) -> Reason | None:
    if annotation.was_cancelled:
        return "skipped"
    return None if labeling.answers(annotation.result) else "empty"


def _unfit(task: StudioTask, labeling: Labeling, texts: Sequence[str]) -> Reason | None:
    if len(texts) > 1:
        return "uncertain"
    if any(item.is_image for item in labeling.objects):
        return "picture"
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
    task: StudioTask,
    annotation: StudioAnnotation,
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
    answer = texts[0].strip()
    before = [given for given in log if given.at <= annotation.updated_at + CLOCKS_DIFFER]
    prediction = _prediction(task, annotation)
    asked = _asked(annotation, prediction, labeling, before, answer)
    if asked is None:
        return "no prompt"
    if any(given.cut and given.text.strip() == answer for given in before):
        return "cut"
    prompt = Prompt(asked, settings.template, settings.system_prompt if system is None else system)
    kind, said = _kind(answer, _given(prediction, labeling, before))
    return Example(
        messages=ask_messages(labeling, prompt, task.data),
        answer=answer,
        origin=Origin(
            project=project,
            task=task.id,
            annotation=annotation.id,
            annotator=annotation.completed_by,
            prompt_sha=prompt.sha,
            kind=kind,
            said=said,
        ),
    )


def _asked(
    annotation: StudioAnnotation,
    prediction: StudioPrediction | None,
    labeling: Labeling,
    before: Sequence[Answer],
    answer: str,
) -> str | None:
    own = region_text(annotation.result, labeling.prompt_control)
    if own is not None:
        return own
    if prediction is not None:
        return _prompt_of(prediction, labeling, before)
    same = [given for given in before if given.text.strip() == answer]
    return _only(given.prompt for given in same or before)


def _prompt_of(prediction: StudioPrediction, labeling: Labeling, log: Sequence[Answer]) -> str | None:
    stored = region_text(prediction.result, labeling.prompt_control)
    if stored is not None:
        return stored
    said = (labeling.answer(prediction.result) or "").strip()
    return _only(
        given.prompt for given in log if given.model_version == prediction.model_version and given.text.strip() == said
    )


def _only(prompts: Iterable[str]) -> str | None:
    """The one prompt that all answers had; None where there are none or several: then nobody knows."""
    distinct = set(prompts)
    return distinct.pop() if len(distinct) == 1 else None


def _given(prediction: StudioPrediction | None, labeling: Labeling, before: Sequence[Answer]) -> list[str]:
    """The answers that the person may have seen, the last one last."""
    stored = labeling.answer(prediction.result) if prediction else None
    return [*([stored.strip()] if stored else []), *(given.text.strip() for given in before)]


def _kind(answer: str, given: Sequence[str]) -> tuple[Literal["typed", "accepted", "corrected"], str | None]:
    if not given:
        return "typed", None
    return ("accepted", None) if answer in given else ("corrected", given[-1])


def _prediction(task: StudioTask, annotation: StudioAnnotation) -> StudioPrediction | None:
    return next((found for found in task.predictions if found.id == annotation.parent_prediction), None)
