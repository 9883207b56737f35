"""The interface to a model server, and what its adapters share."""

import math
from collections.abc import Mapping
from typing import Protocol

from annotune.chat import ChatRequest, Completion
from annotune.deadline import Deadline
from annotune.network import SMALL_BYTES
from annotune.servers.capabilities import Capabilities

# One token of an answer in JSON, with its log-probability. OpenAI indents its JSON, one byte to a line: some 350 bytes.
TOKEN_BYTES = 512


class ModelServer(Protocol):
    """A model server. An instance lives as long as its process and keeps its connections open."""

    name: str
    url: str
    capabilities: Capabilities

    def chat(self, request: ChatRequest, deadline: Deadline) -> Completion:
        """Ask a model once.

        Raises:
            ModelServerError: one of its kinds; the message names the server and what to do.
            NotFound: the server does not have the model.
            PromptTooLong: the prompt does not fit `num_ctx`.
            RequestInvalid: the model cannot take the request.
        """
        ...

    def check(self, deadline: Deadline) -> None:
        """Return if the server answers. No model is asked.

        Raises:
            ModelServerError: it does not answer.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


def most_bytes(request: ChatRequest) -> int:
    """The largest answer that a request can have, in bytes: its text, and each token with all its candidates.

    Thoughts count among `max_tokens`.
    """
    texts = 1 + (1 + request.top_logprobs if request.logprobs else 0)
    return max(SMALL_BYTES, request.max_tokens * texts * TOKEN_BYTES)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header. None where there is none, or where it holds no number of seconds."""
    try:
        seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
