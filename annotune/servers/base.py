"""The seam to whatever answers a chat."""

import math
from collections.abc import Mapping
from typing import Protocol

from annotune.chat import ChatRequest, Completion
from annotune.network import SMALL_BYTES

# Of one token in an answer's JSON, with its log-probability. OpenAI's own is indented, each byte on a line: some 350.
TOKEN_BYTES = 512


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


def most_bytes(request: ChatRequest) -> int:
    """What an answer may weigh: its text, and each token with all its candidates. Thoughts are among `max_tokens`."""
    texts = 1 + (1 + request.top_logprobs if request.logprobs else 0)
    return max(SMALL_BYTES, request.max_tokens * texts * TOKEN_BYTES)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header; None where it is absent, a date, or no length of time."""
    try:
        seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
