"""The types of the shared fixtures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Found = TypeVar("Found")
Eventually = Callable[..., Found]


@dataclass(frozen=True)
class ServedModel:
    """An Ollama, real or embedded, that has the demo's model."""

    url: str
    model: str
    real: bool
