"""What a model is asked, and what it said."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str

    def as_dict(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True)
class Image:
    """A picture's bytes, for a model that sees. `media_type` is such as `image/png`."""

    data: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True)
class Token:
    """A piece of an answer. `others`: the most likely pieces at its place with their log-probabilities (natural)."""

    text: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class ChatRequest:
    """One call to a model server.

    `num_ctx` and `max_tokens` are in tokens; `schema` is the JSON schema that the answer must fit; `logprobs` asks for
    each token's log-probability, and `top_logprobs` (0..20) for so many others at its place. `images` belong to the last
    message. `think` lets a thinking model think. `urgent`: a person waits for it, so that it goes before the rest.
    """

    model: str
    messages: tuple[Message, ...]
    temperature: float
    num_ctx: int
    max_tokens: int
    seed: int | None = None
    schema: dict[str, Any] | None = None
    logprobs: bool = False
    top_logprobs: int = 0
    images: tuple[Image, ...] = ()
    think: bool = False
    urgent: bool = field(default=True, compare=False)

    @classmethod
    def greedy(cls, model: str, messages: Sequence[Message], *, num_ctx: int, max_tokens: int) -> Self:
        """A request whose answer is the same each time, for gates and checks."""
        return cls(model, tuple(messages), temperature=0, num_ctx=num_ctx, max_tokens=max_tokens, seed=0)


@dataclass(frozen=True)
class Completion:
    """What a model said. `finish` is `length` where it was cut by `max_tokens`."""

    text: str
    model: str
    prompt_tokens: int
    tokens: int
    seconds: float
    finish: Literal["stop", "length"]
    logprobs: tuple[Token, ...] | None = None
