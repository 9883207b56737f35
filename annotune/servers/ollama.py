"""Ollama by its native API.

The `ollama` client does the registry's calls. It lacks `truncate`, `shift` and `_debug_render_only` (0.6.3) and never asks
HEAD before it uploads, so the chat and the blobs go by httpx.
"""

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import ollama

from annotune.chat import ChatRequest, Completion, Message, Token
from annotune.deadline import Deadline
from annotune.errors import (
    AnnotuneError,
    AnswerCut,
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
from annotune.servers.base import most_bytes, retry_after_s
from annotune.servers.thoughts import without_thoughts

BUSY = frozenset({429, 502, 503, 504})
CONNECT_S = 5.0
REGISTRY_S = 60.0
CREATE_S = 1800.0
# The slowest upload that is waited for; what is silent for REGISTRY_S is not.
UPLOAD_BYTES_PER_S = 1 << 20
BLOCK_BYTES = 1 << 20
# What httpx, the ollama client and the reading of an answer raise where something else than Ollama answers.
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
KEEP_ALIVE = "30m"


class OllamaClient:
    """One Ollama, at `url` (without `/v1`)."""

    name = "ollama"

    def __init__(self, url: str, *, connections: int = 64) -> None:
        self.url = url
        self._network = Network()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=connections)
        timeout = httpx.Timeout(None, connect=CONNECT_S)  # a model may load for long: the call's own deadline binds
        self._http = self._network.bind(httpx.Client(base_url=url, limits=limits, timeout=timeout, trust_env=False))
        self._registry = ollama.Client(host=url, timeout=timeout, trust_env=False)
        self._network.bind(self._registry._client)  # noqa: SLF001 - it takes a transport, and makes its own client of it

    def chat(self, request: ChatRequest, deadline: Deadline) -> Completion:
        """Ask once, by `/api/chat`.

        `truncate` and `shift` are off: left on, Ollama drops the oldest messages in silence (0.33).
        """
        body: dict[str, Any] = {
            "model": request.model,
            "messages": _messages(request),
            "stream": False,
            "think": request.think,
            "truncate": False,
            "shift": False,
            "keep_alive": KEEP_ALIVE,
            "options": _options(request),
        }
        if request.schema is not None:
            body["format"] = request.schema
        if request.logprobs:
            body["logprobs"] = True
            if request.top_logprobs:
                body["top_logprobs"] = request.top_logprobs
        started = time.monotonic()
        reply = self._post("/api/chat", body, deadline, most_bytes(request))
        text, reason = _said(reply), reply.get("done_reason")
        if not reply.get("done") or text is None:
            raise AnswerRefused(f"Ollama at {self.url} broke off its answer with {request.model}; try again")
        finish: Literal["stop", "length"] = "length" if reason == "length" else "stop"
        answer = without_thoughts(text, cut=finish == "length", think=request.think)
        if not answer.strip() and finish == "length" and _thought(reply):
            raise AnswerCut("the model was still thinking when its tokens ran out: raise MAX_TOKENS, or unset THINKING")
        # Thoughts have log-probabilities too, and nothing tells them from the answer's.
        known = reply.get("logprobs") if answer == text and not _thought(reply) else None
        with self._mapped(deadline):
            return Completion(
                text=answer,
                model=request.model,
                prompt_tokens=int(reply.get("prompt_eval_count", 0)),
                tokens=int(reply.get("eval_count", 0)),
                seconds=time.monotonic() - started,
                finish=finish,
                logprobs=tuple(_token(entry) for entry in known) if known else None,
            )

    def render(self, request: ChatRequest, deadline: Deadline) -> str:
        """The very text that the server would give the model (`_debug_render_only`, Ollama >= 0.11.5)."""
        body = {
            "model": request.model,
            "messages": [message.as_dict() for message in request.messages],
            "stream": False,
            "_debug_render_only": True,
            "options": _options(request),
        }
        info = self._post("/api/chat", body, deadline).get("_debug_info")
        if not isinstance(info, Mapping) or not isinstance(info.get("rendered_template"), str):
            raise AnswerRefused(f"Ollama at {self.url} does not show the text that it renders: it is older than 0.30")
        return str(info["rendered_template"])

    def check(self, deadline: Deadline) -> None:
        """Ask for the version."""
        with self._asking(deadline):
            self._http.get("/api/version").raise_for_status()

    def version(self) -> str:
        """Ollama's own version, such as `0.33.2`."""
        with self._asking(Deadline.after(REGISTRY_S)):
            return str(self._http.get("/api/version").raise_for_status().json()["version"])

    def models(self) -> tuple[str, ...]:
        """Names of all models that the server keeps."""
        with self._asking(Deadline.after(REGISTRY_S)):
            return tuple(entry.model for entry in self._registry.list().models if entry.model)

    def show(self, model: str) -> Mapping[str, Any] | None:
        """What the server knows of a model; None where it has none of that name."""
        with self._asking(Deadline.after(REGISTRY_S)):
            try:
                return self._registry.show(model).model_dump()
            except ollama.ResponseError as error:
                if error.status_code == httpx.codes.NOT_FOUND:
                    return None
                raise

    def push(self, gguf: Path, sha256: str) -> None:
        """Upload a GGUF, unless the server has its blob. `sha256` is hex."""
        path = f"/api/blobs/sha256:{sha256}"
        with self._asking(Deadline.after(REGISTRY_S)):
            if self._http.head(path).status_code == httpx.codes.OK:
                return
        size = gguf.stat().st_size
        # The server computes the digest before it answers.
        timeout = httpx.Timeout(CREATE_S, connect=CONNECT_S, write=REGISTRY_S)
        with self._asking(Deadline.after(CREATE_S + size / UPLOAD_BYTES_PER_S)):
            reply = self._http.post(path, content=_blocks(gguf), headers={"Content-Length": str(size)}, timeout=timeout)
            reply.raise_for_status()

    def create(self, model: str, sha256: str, *, parameters: Mapping[str, Any], filename: str = "model.gguf") -> None:
        """Register an uploaded GGUF under a name.

        No template is sent: the server then runs the GGUF's own (Ollama >= 0.30). An error can come as a line of a
        stream that began with 200, so success is what says so.
        """
        with self._asking(Deadline.after(CREATE_S)):
            reply = self._registry.create(
                model=model, files={filename: f"sha256:{sha256}"}, parameters=dict(parameters), stream=False
            )
        if reply.status != "success":
            raise ModelServerError(f"Ollama at {self.url} did not create {model}: it ended with {reply.status!r}")

    def delete(self, model: str) -> None:
        """Unload a model, then delete it; one that is not there is deleted already."""
        self.unload(model)
        with self._asking(Deadline.after(REGISTRY_S)):
            try:
                self._registry.delete(model)
            except ollama.ResponseError as error:
                if error.status_code != httpx.codes.NOT_FOUND:
                    raise

    def loaded(self) -> tuple[str, ...]:
        """Names of the models in memory; a runner is listed under the name that first loaded it."""
        with self._asking(Deadline.after(REGISTRY_S)):
            return tuple(entry.model for entry in self._registry.ps().models if entry.model)

    def unload(self, model: str) -> None:
        """Take a model out of memory, if it is there. The server does so a moment later."""
        if model in self.loaded():
            self._post(
                "/api/chat",
                {"model": model, "messages": [], "keep_alive": 0, "stream": False},
                Deadline.after(REGISTRY_S),
            )

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()
        self._registry.close()  # type: ignore[no-untyped-call]

    def _post(self, path: str, body: Mapping[str, Any], deadline: Deadline, most: int = SMALL_BYTES) -> dict[str, Any]:
        model = str(body.get("model"))
        with self._asking(deadline, most, model):
            asked = self._http.build_request("POST", path, json=body)
            try:
                reply = self._http.send(asked, stream=True)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # A kept connection that a restarted server had closed: not even a status was answered on it.
                reply = self._http.send(asked, stream=True)
            content = reply.read()
            if not reply.is_success:
                reason, wait = _reason(content.decode(errors="replace")), retry_after_s(reply.headers)
                raise _refusal(f"Ollama at {self.url}", model, reply.status_code, reason, wait)
            parsed = json.loads(content)
        if not isinstance(parsed, dict) or "error" in parsed:
            raise AnswerRefused(f"Ollama at {self.url} answered with no result: {str(parsed)[:200]}")
        return parsed

    @contextmanager
    def _asking(self, deadline: Deadline, most: int = SMALL_BYTES, model: str = "") -> Iterator[None]:
        """One call, its errors ours."""
        with self._mapped(deadline, model), self._network.call(deadline, most):
            yield

    @contextmanager
    def _mapped(self, deadline: Deadline, model: str = "") -> Iterator[None]:
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
            raise _refusal(where, model, error.response.status_code, _reason(error.response.text)) from error
        except ollama.ResponseError as error:
            raise _refusal(where, model, error.status_code, error.error) from error
        except UnicodeEncodeError as error:
            raise RequestInvalid("the prompt holds half a surrogate pair, which is no text: take it out") from error
        except FOREIGN as error:
            raise ModelServerError(f"{where} did not answer as Ollama does: is OLLAMA_ENDPOINT right?") from error


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def _messages(request: ChatRequest) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [message.as_dict() for message in request.messages]
    if request.images:
        messages[-1]["images"] = [base64.b64encode(image.data).decode() for image in request.images]
    return messages


def _token(entry: Mapping[str, Any]) -> Token:
    others = tuple((other["token"], float(other["logprob"])) for other in entry.get("top_logprobs") or ())
    return Token(entry["token"], float(entry["logprob"]), others)


def _options(request: ChatRequest) -> dict[str, Any]:
    options: dict[str, Any] = {
        "temperature": request.temperature,
        "num_ctx": request.num_ctx,
        "num_predict": request.max_tokens,
    }
    return options if request.seed is None else options | {"seed": request.seed}


def _said(reply: Mapping[str, Any]) -> str | None:
    message = reply.get("message")
    content = message.get("content") if isinstance(message, Mapping) else None
    return content if isinstance(content, str) else None


def _thought(reply: Mapping[str, Any]) -> bool:
    message = reply.get("message")
    return isinstance(message, Mapping) and bool(message.get("thinking"))


def _reason(body: str) -> str:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return body[:200]
    if not isinstance(parsed, dict):
        return body[:200]
    reason = parsed.get("error", parsed)
    return (reason if isinstance(reason, str) else json.dumps(reason))[:2000]


def _refusal(where: str, model: str, status: int, reason: str, retry_after: float | None = None) -> AnnotuneError:
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
        return ModelServerBusy(f"{where} is busy; try again in a minute", retry_after)
    return ModelServerError(f"{where} answered {status}: {reason[:300]} (is OLLAMA_ENDPOINT right?)")


def as_request(model: str, messages: Sequence[Message], *, num_ctx: int, max_tokens: int) -> ChatRequest:
    """A greedy request, for gates and checks."""
    return ChatRequest(
        model=model, messages=tuple(messages), temperature=0, num_ctx=num_ctx, max_tokens=max_tokens, seed=0
    )
