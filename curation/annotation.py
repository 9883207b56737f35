"""One annotation as an example, or the reason why it is left out."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from annotune.answer import Answer
from annotune.errors import AnswerInvalid, RequestInvalid
from annotune.label_studio.rows import AnnotationRow, PredictionRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.labeling.controls import is_text
from annotune.labeling.regions import UNTOUCHED, region_text, valid_unicode
from annotune.prompt import Prompt
from annotune.question import ask_messages
from annotune.settings import Settings
from curation.example import Example, Origin

# The answers have the backend's clock, annotations have Label Studio's.
CLOCK_DIFFERENCE = timedelta(seconds=5)
SHA_CHARACTERS = 12

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
"""Why an annotation is left out.

skipped: a person skipped the task. empty: it has no answer. older: the task has a later annotation. uncertain: it has
several texts for one answer. no field: the task lacks a field that the config labels. no prompt: nobody knows what was
asked. other prompt: it holds an answer to an earlier prompt, and the prompt beside it was never answered. cut: it is an
accepted answer that the token limit ended. incomplete: a control that the model fills is empty, or cannot be read (a label
was renamed). picture: it labels a picture, and a training reads texts only. too long: with its placeholders filled, the
prompt is longer than any model reads. unreadable: Label Studio holds something that is not an annotation, or that no file
can hold.
"""


@dataclass(frozen=True)
class ExampleMaker:
    """Makes examples for one project. `system` is the project's own system message; None: the setting's."""

    project: int
    labeling: Labeling
    settings: Settings
    system: str | None = None

    def make(self, task: TaskRow, annotation: AnnotationRow, answers: Sequence[Answer]) -> Example | Reason:
        """The example of an annotation that has an answer, or the reason why it is left out.

        `answers` are those that the backend gave for the task, oldest first.
        """
        texts = self.labeling.answers(annotation.result)
        if reason := self._unfit(task, texts):
            return reason
        accepted, prediction = texts[0].strip(), prediction_of(task, annotation)
        known = [given for given in answers if not given.lost]
        before = [given for given in known if given.at <= annotation.updated_at + CLOCK_DIFFERENCE]
        # Time decides only among several answers: an answer with this very text was seen, whatever its clock says.
        same = _with_text(before, accepted) or _with_text(known, accepted)
        asked = prompt_in(annotation, self.labeling)
        if asked is None and prediction:
            asked = prompt_of(prediction, self.labeling, before) or prompt_of(prediction, self.labeling, known)
        elif asked is None:
            asked = _only_one(given.prompt for given in same or before)
        if asked is None:
            return "no prompt"
        if self._answers_another_prompt(asked, accepted, task, annotation, answers):
            return "other prompt"
        if any(given.cut for given in same):
            return "cut"
        stored = (self.labeling.answer(prediction.result) if prediction else None) or ""
        given_texts = [stored.strip()] if stored else []
        given_texts += [given.text.strip() for given in same or before]
        return self._example(task, annotation, asked, accepted, given_texts)

    def _unfit(self, task: TaskRow, texts: Sequence[str]) -> Reason | None:
        """Why an answer cannot be an example, whatever was asked."""
        if len(texts) > 1:
            return "uncertain"
        if any(item.is_image for item in self.labeling.objects):
            return "picture"
        if not is_text(texts[0]):
            return "unreadable"
        try:
            self.labeling.text_of(task.data)
            self.labeling.regions(texts[0], task.data)
        except RequestInvalid:
            return "no field"
        except AnswerInvalid:
            return "incomplete"
        return None

    def _answers_another_prompt(
        self, asked: str, accepted: str, task: TaskRow, annotation: AnnotationRow, answers: Sequence[Answer]
    ) -> bool:
        """Whether the annotation holds one of our answers, and all known answers are to other prompts."""
        if any(given.lost for given in answers):  # then an answer to this prompt may be missing
            return False
        stored = [(prompt_in(found, self.labeling), self.labeling.answer(found.result)) for found in task.predictions]
        known = [(given.prompt, given.text) for given in answers]
        known += [(prompt, text) for prompt, text in stored if prompt and text]
        if not known or any(prompt.strip() == asked.strip() for prompt, _ in known):
            return False
        filled = {control.name for control in self.labeling.controls}
        untouched = {region.get("from_name") for region in annotation.result if region.get("origin") == UNTOUCHED}
        return bool(filled & untouched) or any(text.strip() == accepted for _, text in known)

    def _example(
        self, task: TaskRow, annotation: AnnotationRow, asked: str, accepted: str, given: Sequence[str]
    ) -> Example | Reason:
        """The example. `given` are the texts that the model gave, oldest first."""
        prompt = Prompt.from_settings(asked, self.settings, self.system)
        try:
            messages = ask_messages(self.labeling, prompt, task.data)
        except RequestInvalid:  # not for a missing field: the task has all of them
            return "too long"
        kind: Literal["typed", "accepted", "corrected"] = "typed"
        if given:
            kind = "accepted" if accepted in given else "corrected"
        return Example(
            messages=messages,
            answer=accepted,
            origin=Origin(
                project=self.project,
                task=task.id,
                annotation=annotation.id,
                annotator=annotation.completed_by,
                prompt_sha=prompt.sha,
                kind=kind,
                said=given[-1] if kind == "corrected" else None,
                content=self._content_sha(asked, task, accepted),
            ),
        )

    def _content_sha(self, asked: str, task: TaskRow, accepted: str) -> str:
        """A short sha of what people may change: the prompt as written, the task's fields that it is about, the answer.

        The template and the system message are not in it: a new one would look like a correction of every annotation.
        """
        labelled = {item.field for item in self.labeling.objects}
        about = {name: value for name, value in task.data.items() if name in labelled or f"{{{name}}}" in asked}
        text = json.dumps([asked, about, accepted], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:SHA_CHARACTERS]


def prediction_of(task: TaskRow, annotation: AnnotationRow) -> PredictionRow | None:
    """The prediction that an annotation was made from."""
    return next((found for found in task.predictions if found.id == annotation.parent_prediction), None)


def prompt_of(prediction: PredictionRow, labeling: Labeling, answers: Sequence[Answer]) -> str | None:
    """The prompt of a prediction, from its regions or from the answers; None if neither has it."""
    stored = region_text(prediction.result, labeling.prompt_control)
    if stored is not None:
        return valid_unicode(stored)
    text = (labeling.answer(prediction.result) or "").strip()
    return _only_one(
        given.prompt for given in _with_text(answers, text) if given.model_version == prediction.model_version
    )


def prompt_in(row: AnnotationRow | PredictionRow, labeling: Labeling) -> str | None:
    """The prompt in the prompt control of an annotation or a prediction."""
    text = region_text(row.result, labeling.prompt_control)
    return None if text is None else valid_unicode(text)


def _with_text(answers: Iterable[Answer], text: str) -> list[Answer]:
    return [given for given in answers if not given.lost and given.text.strip() == text]


def _only_one(prompts: Iterable[str]) -> str | None:
    """The prompt if all are the same; None if there are none or several, since then nobody knows which was asked."""
    distinct = set(prompts)
    return distinct.pop() if len(distinct) == 1 else None
