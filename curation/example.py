"""An example to learn from: a chat, and the answer that a person accepted."""

from typing import Literal

from pydantic import field_serializer, field_validator

from annotune.chat import Message
from annotune.values import FrozenModel


class Origin(FrozenModel):
    """Where an example comes from.

    `kind`: the person typed the answer without one of ours, accepted ours, or corrected it; `said` is then ours.
    `content` is a short sha of what was asked and accepted: if it changes under the same annotation, that is a correction.
    """

    project: int
    task: int
    annotation: int
    annotator: int | None
    prompt_sha: str
    kind: Literal["typed", "accepted", "corrected"]
    said: str | None = None
    content: str = ""


class Example(FrozenModel):
    """Chat messages, the accepted answer, and where they come from."""

    messages: tuple[Message, ...]
    answer: str
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
