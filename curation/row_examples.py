"""Rows of a dataset as examples for a project: the chat by which the project asks the question, and the row's answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from annotune.chat import Message
from annotune.errors import RequestInvalid
from annotune.labeling.config import Labeling
from annotune.labeling.controls import is_text
from annotune.prompt import Prompt
from annotune.question import ask_messages
from annotune.split import SplitName, text_sha
from curation.example import Example, Origin
from curation.lineage import Lineage

QUESTION, ANSWER = "question", "answer"
READABLE = ("Text", "HyperText")

RowReason = Literal[
    "empty",
    "unreadable",
    "too long",
    "double",
    "annotated",
    "wrong reference",
    "near held out",
    "near annotated",
    "trained before",
    "surplus",
]
"""Why a row of a dataset is left out of a training.

empty: its question or its answer is missing, or is no text. unreadable: it is no row, or no file can hold it. too long: with
its placeholders filled, the prompt is longer than any model reads. double: an earlier row has its question. annotated: a
person's annotation answers its question, and counts. wrong reference: a person marked the reference answer to its question
as wrong. near held out: its question is a near-duplicate of one that is held out. near annotated: it is held out, and its
question is a near-duplicate of one whose annotation trains. trained before: its folder holds it out, and the project has
trained on its question. surplus: it is held out, and enough others are.
"""


@dataclass(frozen=True)
class RowExample:
    """The example of a row.

    `sha` is that of its question, `group` that of what decides its side (see `assign_splits`). `side` is the one that its
    folder gives it; None if its dataset has no sides.
    """

    example: Example
    sha: str
    group: str
    side: SplitName | None = None


@dataclass(frozen=True)
class AskedRow:
    """A row and the chat that asks its question. `side` is the one that its folder gives it."""

    messages: tuple[Message, ...]
    question: str
    answer: str
    lineage: Lineage
    prompt_sha: str
    side: SplitName | None = None


@dataclass(frozen=True)
class RowMaker:
    """Makes examples of rows for one project. `field` is the field of its tasks that holds the question."""

    project: int
    labeling: Labeling
    field: str

    @classmethod
    def of(cls, project: int, labeling: Labeling) -> Self:
        """The maker of a project.

        Raises:
            RequestInvalid: its answers are no free texts about one text.
        """
        shown = labeling.objects
        if labeling.free_text is None or len(shown) != 1 or shown[0].tag not in READABLE:
            filled = ", ".join(repr(control.name) for control in labeling.controls)
            raise RequestInvalid(
                f"project {project} cannot train on a dataset: that takes a labeling config in which the model fills one"
                f" TextArea about one Text, and in this one it fills {filled} about"
                f" {', '.join(repr(item.name) for item in shown)}"
            )
        return cls(project, labeling, shown[0].field)

    def ask(self, row: Mapping[str, object], prompt: Prompt, number: int, source: str) -> RowExample | RowReason:
        """The example of a row with a question and an answer, asked by the project's prompt.

        `number` is unique among the rows of a training.
        """
        question, answer = row.get(QUESTION), row.get(ANSWER)
        if not isinstance(question, str) or not isinstance(answer, str) or not question.strip() or not answer.strip():
            return "empty"
        data = {name: value for name, value in row.items() if name != ANSWER} | {self.field: question}
        try:
            messages = ask_messages(self.labeling, prompt, data)
        except RequestInvalid:  # not for a missing field: the only one is there
            return "too long"
        asked = AskedRow(messages, self.labeling.labelled_text(data), answer, Lineage.of(data), prompt.sha)
        return self.keep(asked, number, source)

    def keep(self, row: AskedRow, number: int, source: str) -> RowExample | RowReason:
        """The example of a row whose chat is known."""
        if not (is_text(row.question) and is_text(row.answer)):
            return "unreadable"
        origin = Origin(
            project=self.project,
            task=0,
            annotation=-number,
            annotator=None,
            prompt_sha=row.prompt_sha,
            kind="dataset",
            dataset=source,
        )
        example = Example(
            messages=row.messages,
            answer=row.answer.strip(),
            question=row.question,
            abstract_id=row.lineage.abstract_id or None,
            origin=origin,
        )
        own = text_sha(row.question)
        return RowExample(example, own, row.lineage.group_sha(own), row.side)
