"""HTTP to one Ollama, and what its errors and those of the clients mean."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import ollama

from annotune.deadline import Deadline
from annotune.errors import (
    AnnotuneError,
    AnswerRefused,
    DeadlineExceeded,
    ModelServerBusy,
    ModelServerError,
    ModelServerUnreachable,
    NotFound,
    PromptTooLong,
    RequestInvalid,
)
from annotune.models import restore_command
from annotune.network import SMALL_BYTES, AnswerTooLarge, Network
from annotune.servers.base import retry_after_s

CONNECT_S = 5.0
BUSY = frozenset({429, 502, 503, 504})
# Raised by httpx, by the `ollama` client and while an answer is read, where the server is not an Ollama.
FOREIGN = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    ollama.RequestError,
    ValueError,
    TypeError,
    LookupError,
    RecursionError,
)


class OllamaHttp:
    """The connections to one Ollama, at `url` (without `/v1`).

    `api` is the `ollama` client, `http` goes to the same server. The `ollama` client lacks `truncate`, `shift` and
    `_debug_render_only`, and uploads without asking HEAD first (0.6.3). So chats and uploads use `http`.
    """

    def __init__(self, url: str, *, connections: int) -> None:
        self.url = url
        self._network = Network()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=connections)
        timeout = httpx.Timeout(None, connect=CONNECT_S)  # loading a model takes long: only the call's deadline applies
        self.http = self._network.bind(httpx.Client(base_url=url, limits=limits, timeout=timeout, trust_env=False))
        self.api = ollama.Client(host=url, timeout=timeout, trust_env=False)
        self._network.bind(self.api._client)  # noqa: SLF001 - it accepts no client of ours

    def post(
        self, path: str, body: Mapping[str, Any], deadline: Deadline, most_bytes: int = SMALL_BYTES
    ) -> dict[str, Any]:
        """POST JSON; the JSON object of the answer.

        Raises:
            ModelServerError, NotFound, PromptTooLong, RequestInvalid: as `ModelServer.chat`.
        """
        model = str(body.get("model"))
        with self.call(deadline, most_bytes, model):
            request = self.http.build_request("POST", path, json=body)
            try:
                response = self.http.send(request, stream=True)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # A restarted server had closed a kept connection: it did not even answer with a status.
                response = self.http.send(request, stream=True)
            content = response.read()
            if not response.is_success:
                reason, wait_s = _reason(content.decode(errors="replace")), retry_after_s(response.headers)
                raise self._refusal(response.status_code, reason, model, wait_s)
            parsed = json.loads(content)
        if not isinstance(parsed, dict) or "error" in parsed:
            raise AnswerRefused(f"Ollama at {self.url} answered with no result: {str(parsed)[:200]}")
        return parsed

    @contextmanager
    def call(self, deadline: Deadline, most_bytes: int = SMALL_BYTES, model: str = "") -> Iterator[None]:
        """All that the block sends and receives is one call within the deadline, and its errors are ours.

        `model` is the model that the call names, if any.
        """
        with self.mapped(deadline, model), self._network.call(deadline, most_bytes):
            yield

    @contextmanager
    def mapped(self, deadline: Deadline, model: str = "") -> Iterator[None]:
        """Errors of httpx and of the `ollama` client become ours.

        Raises:
            ModelServerError, NotFound, PromptTooLong, RequestInvalid: as `ModelServer.chat`.
        """
        where, left_s = f"Ollama at {self.url}", deadline.left_s
        try:
            yield
        except httpx.ConnectTimeout as error:
            raise ModelServerUnreachable(f"{where} is not reachable: start it, or fix OLLAMA_ENDPOINT") from error
        except httpx.TimeoutException as error:
            raise DeadlineExceeded(f"{where} did not answer within {left_s:.0f} s; try again") from error
        except AnswerTooLarge as error:
            raise AnswerRefused(f"{where} sent far more than an answer: is OLLAMA_ENDPOINT right?") from error
        except (httpx.TransportError, ConnectionError) as error:
            raise ModelServerUnreachable(f"{where} is not reachable: start it, or fix OLLAMA_ENDPOINT") from error
        except httpx.HTTPStatusError as error:
            raise self._refusal(error.response.status_code, _reason(error.response.text), model) from error
        except ollama.ResponseError as error:
            raise self._refusal(error.status_code, error.error, model) from error
        except UnicodeEncodeError as error:
            raise RequestInvalid("the prompt holds half a surrogate pair, which is no text: take it out") from error
        except FOREIGN as error:
            raise ModelServerError(f"{where} did not answer as Ollama does: is OLLAMA_ENDPOINT right?") from error

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
        self.api.close()  # type: ignore[no-untyped-call]

    def _refusal(self, status: int, reason: str, model: str, wait_s: float | None = None) -> AnnotuneError:
        """The error for a status that is not a success. `wait_s`: its Retry-After."""
        where = f"Ollama at {self.url}"
        if "exceed_context_size" in reason:
            tokens = re.search(r'"n_prompt_tokens": ?(\d+)', reason)
            window = re.search(r'"n_ctx": ?(\d+)', reason)
            return PromptTooLong(
                f"the prompt has {tokens[1] if tokens else 'too many'} tokens and {model} takes"
                f" {window[1] if window else 'fewer'}: shorten it, or raise NUM_CTX"
            )
        if "does not support thinking" in reason:
            return RequestInvalid(f"{model} does not think: unset THINKING, or choose a model that does")
        if "multimodal" in reason.lower() or "does not support image" in reason.lower():
            return RequestInvalid(f"{model} cannot see pictures: choose a model with vision")
        if status == httpx.codes.NOT_FOUND and model and "not found" in reason:
            return NotFound(f"{where} has no model {model!r}: run '{restore_command(model)}', or choose another")
        if status in BUSY:
            return ModelServerBusy(f"{where} is busy; try again in a minute", wait_s)
        return ModelServerError(f"{where} answered {status}: {reason[:300]} (is OLLAMA_ENDPOINT right?)")


def _reason(body: str) -> str:
    """The error that a body of JSON tells, else the body's beginning."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return body[:200]
    if not isinstance(parsed, dict):
        return body[:200]
    reason = parsed.get("error", parsed)
    return (reason if isinstance(reason, str) else json.dumps(reason))[:2000]
