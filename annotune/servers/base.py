"""The seam to whatever answers a chat."""

import math
from collections.abc import Mapping
from typing import Protocol

from annotune.completion import ChatRequest, Completion


class ModelServer(Protocol):
    """One model server. An instance lives as long as its process and keeps its connections."""

    name: str
    url: str

    def chat(self, request: ChatRequest, *, deadline_s: float) -> Completion:
        """Ask once.

        Raises:
            ModelServerError: any of its kinds; the message names the server and what to do.
            PromptTooLong: the prompt does not fit `num_ctx`.
        """
        ...

    def check(self, *, deadline_s: float) -> None:
        """Return if the server answers, without asking a model.

        Raises:
            ModelServerError: it does not.
        """
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header; None where it is absent, a date, or no length of time."""
    try:
        seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
