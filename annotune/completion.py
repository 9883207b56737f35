"""What a model is asked, and what it said."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str

    def as_dict(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True)
class ChatRequest:
    """One call to a model server.

    `num_ctx` and `max_tokens` are in tokens; `schema` is the JSON schema that the answer must fit.
    """

    model: str
    messages: tuple[Message, ...]
    temperature: float
    num_ctx: int
    max_tokens: int
    seed: int | None = None
    schema: dict[str, Any] | None = None
    logprobs: bool = False


@dataclass(frozen=True)
class Completion:
    """What a model said. `finish` is `length` where it was cut by `max_tokens`."""

    text: str
    model: str
    prompt_tokens: int
    tokens: int
    seconds: float
    finish: Literal["stop", "length"]
    logprobs: tuple[float, ...] | None = None
