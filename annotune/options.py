"""How a model is asked."""

from dataclasses import dataclass
from typing import Self

from annotune.settings import Settings


@dataclass(frozen=True)
class Options:
    """How a model is asked. `num_ctx` and `max_tokens` are in tokens. `num_responses` applies to free text only."""

    temperature: float
    num_ctx: int
    max_tokens: int
    num_responses: int = 1
    think: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The options of the settings."""
        return cls(
            temperature=settings.temperature,
            num_ctx=settings.num_ctx,
            max_tokens=settings.max_tokens,
            num_responses=settings.num_responses,
            think=settings.thinking,
        )
