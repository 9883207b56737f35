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
from annotune.labeling.regions import UNTOUCHED
from annotune.prompt import Prompt
from annotune.question import ask_messages
from annotune.settings import Settings
from curation.draft import Work, drafts_of, prompt_in, work_on
from curation.example import Example, Origin
from curation.judgements import marks_faults
from curation.lineage import Lineage

# The answers have the backend's clock, annotations have Label Studio's.
CLOCK_DIFFERENCE = timedelta(seconds=5)
SHA_CHARACTERS = 12

Reason = Literal[
    "skipped",
    "empty",
    "older",
    "outranked",
    "agrees",
    "wrong reference",
    "faulty",
    "rejected",
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

skipped: a person skipped the task. empty: it has no answer. older: the task has a later annotation. outranked: the task has
an annotation that counts more, as policy.py says. agrees: another annotation says the same, and counts. wrong reference: the
task's reference was marked as wrong. faulty: a person accepted the model's answer and marked faults in it. rejected: a
reviewer rejected it. uncertain: it has several texts for one answer. no field: the task lacks a field that is labelled.
no prompt: nobody knows what was asked. other prompt: it holds an answer to an earlier prompt, and the prompt beside it was
never answered. cut: it is an accepted answer that the token limit ended. incomplete: a control of the model is empty,
or cannot be read (a label was renamed). picture: it labels a picture, and a training reads texts only. too long: with its
placeholders filled, the prompt is longer than any model reads. unreadable: Label Studio holds something that is not an
annotation, or that no file can hold.
"""


@dataclass(frozen=True)
class Revision:
    """The answer that a reviewer put in the place of an annotation's, and the reviewer's id."""

    answer: str
    annotator: int | None


@dataclass(frozen=True)
class _Answered:
    """The prompt as written, the answer that counts, and what the person made of a draft."""

    asked: str
    accepted: str
    work: Work


@dataclass(frozen=True)
class ExampleMaker:
    """Makes examples for one project. `system` is the project's own system message; None: the setting's."""

    project: int
    labeling: Labeling
    settings: Settings
    system: str | None = None

    def make(
        self, task: TaskRow, annotation: AnnotationRow, answers: Sequence[Answer], revision: Revision | None = None
    ) -> Example | Reason:
        """The example of an annotation that has an answer, or the reason why it is left out.

        `answers` are those that the backend gave for the task, oldest first. A `revision` replaces the annotation's answer.
        """
        texts = (revision.answer,) if revision else self.labeling.answers(annotation.result)
        if reason := self._unfit(task, texts):
            return reason
        accepted, prediction = texts[0].strip(), prediction_of(task, annotation)
        known = [given for given in answers if not given.lost]
        before = [given for given in known if given.at <= annotation.updated_at + CLOCK_DIFFERENCE]
        # Time decides only among several answers: an answer with this very text was seen, whatever its clock says.
        same = _with_text(before, accepted) or _with_text(known, accepted)
        asked = self._asked(annotation, prediction, known, before, same)
        if asked is None:
            return "no prompt"
        if self._answers_another_prompt(asked, accepted, task, annotation, answers):
            return "other prompt"
        heard = [*before, *(given for given in same if given not in before)]
        work = work_on(drafts_of(asked, annotation, prediction, heard, self.labeling), accepted)
        is_faulty = work.kind == "accepted" and marks_faults(annotation) and not revision
        if is_faulty or any(given.cut for given in same):
            return "faulty" if is_faulty else "cut"
        annotator = revision.annotator if revision else annotation.completed_by
        return self._example(task, annotation.id, annotator, _Answered(asked, accepted, work))

    def _asked(
        self,
        annotation: AnnotationRow,
        prediction: PredictionRow | None,
        known: Sequence[Answer],
        before: Sequence[Answer],
        same: Sequence[Answer],
    ) -> str | None:
        """The prompt that an annotation answers; None if nobody knows it."""
        asked = prompt_in(annotation, self.labeling)
        if asked is not None:
            return asked
        if prediction:
            return prompt_of(prediction, self.labeling, before) or prompt_of(prediction, self.labeling, known)
        return _only_one(given.prompt for given in same or before)

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

    def _example(self, task: TaskRow, annotation: int, annotator: int | None, answered: _Answered) -> Example | Reason:
        prompt, lineage = Prompt.from_settings(answered.asked, self.settings, self.system), Lineage.of(task.data)
        try:
            messages = ask_messages(self.labeling, prompt, task.data)
        except RequestInvalid:  # not for a missing field: the task has all of them
            return "too long"
        work = answered.work
        origin = Origin(
            project=self.project,
            task=task.id,
            annotation=annotation,
            annotator=annotator,
            prompt_sha=prompt.sha,
            kind=work.kind,
            said=work.said,
            content=self._content_sha(answered.asked, task, answered.accepted),
            edit_distance=work.edit_distance,
            drafted_by=work.drafted_by,
            source_project=lineage.project,
            source_task=lineage.task,
            source_annotation=lineage.annotation,
        )
        return Example(
            messages=messages,
            answer=answered.accepted,
            question=self.labeling.labelled_text(task.data),
            abstract_id=lineage.abstract_id or None,
            origin=origin,
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
    stored = prompt_in(prediction, labeling)
    if stored is not None:
        return stored
    text = (labeling.answer(prediction.result) or "").strip()
    return _only_one(
        given.prompt for given in _with_text(answers, text) if given.model_version == prediction.model_version
    )


def _with_text(answers: Iterable[Answer], text: str) -> list[Answer]:
    return [given for given in answers if not given.lost and given.text.strip() == text]


def _only_one(prompts: Iterable[str]) -> str | None:
    """The prompt if all are the same; None if there are none or several, since then nobody knows which was asked."""
    distinct = set(prompts)
    return distinct.pop() if len(distinct) == 1 else None
