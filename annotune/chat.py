"""A chat with a model: messages, a request and its completion."""

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
    """A picture for a model with vision. `media_type` is one such as `image/png`."""

    data: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True)
class Token:
    """A token of an answer, with its log-probability (natural logarithm).

    `others`: the most likely tokens at its place, with theirs.
    """

    text: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class ChatRequest:
    """One call to a model server.

    `num_ctx` and `max_tokens` are in tokens. `schema`: the JSON schema that the answer must fit. `logprobs`: ask for each
    token's log-probability. `top_logprobs` (0..20): ask for that many candidates at each token's place. `images` belong to
    the last message. `think`: let a thinking model think. `urgent`: a person waits, so the call goes before batch work.
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
    """A model's answer. `prompt_tokens` and `tokens` count the prompt and the answer. `finish` is `length` if
    `max_tokens` ended the answer.
    """

    text: str
    model: str
    prompt_tokens: int
    tokens: int
    seconds: float
    finish: Literal["stop", "length"]
    logprobs: tuple[Token, ...] | None = None
