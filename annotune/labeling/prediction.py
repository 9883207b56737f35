"""Predictions as Label Studio takes them."""

from dataclasses import dataclass
from typing import Any

Region = dict[str, Any]


@dataclass(frozen=True)
class Prediction:
    """One prediction.

    `result` holds regions (`id`, `from_name`, `to_name`, `type`, `value`). `score` is 0..1, None if it is unknown.
    """

    result: tuple[Region, ...]
    model_version: str
    score: float | None = None

    def as_dict(self) -> dict[str, Any]:
        body: dict[str, Any] = {"result": list(self.result), "model_version": self.model_version}
        return body if self.score is None else body | {"score": self.score}


@dataclass(frozen=True)
class Unanswered:
    """A task of a batch that has no prediction. Label Studio (1.23.2) skips an item without `result`."""

    error: str

    def as_dict(self) -> dict[str, Any]:
        return {"error": self.error}
