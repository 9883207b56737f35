"""An example to learn from: a chat, and the answer that a person accepted."""

from typing import Literal

from pydantic import field_serializer, field_validator

from annotune.chat import Message
from annotune.values import FrozenModel


class Origin(FrozenModel):
    """Where an example comes from.

    `kind`: the person typed the answer without one of ours, accepted ours, or corrected it; `said` is then ours.
    `content` is a short sha of what was asked and accepted: if it changes under the same annotation, that is a correction.
    `drafted_by` is the model version whose text was accepted or corrected, `edit_distance` the characters that were changed
    (Levenshtein); both are None for a typed answer. `source_project`, `source_task` and `source_annotation` are what the
    task was made from (see lineage.py).

    A row of a dataset is of kind `dataset`, and `dataset` names it. It has no task and no annotation: `task` is 0, and
    `annotation` is negative and unique in a training.
    """

    project: int
    task: int
    annotation: int
    annotator: int | None
    prompt_sha: str
    kind: Literal["typed", "accepted", "corrected", "dataset"]
    said: str | None = None
    content: str = ""
    edit_distance: int | None = None
    drafted_by: str | None = None
    source_project: int | None = None
    source_task: int | None = None
    source_annotation: int | None = None
    dataset: str = ""


class Example(FrozenModel):
    """Chat messages, the accepted answer, and where they come from.

    `question` is the labelled text, `abstract_id` the id of the source text that the task names.
    """

    messages: tuple[Message, ...]
    answer: str
    question: str = ""
    abstract_id: str | None = None
    origin: Origin

    @field_validator("messages", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            return tuple(Message(**item) if isinstance(item, dict) else item for item in value)
        return value

    @field_serializer("messages")
    def _write(self, messages: tuple[Message, ...]) -> list[dict[str, str]]:
        return [message.as_dict() for message in messages]
