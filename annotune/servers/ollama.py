"""Chats with Ollama, by its native API."""

import base64
import time
from collections.abc import Mapping
from typing import Any, Literal

from annotune.chat import ChatRequest, Completion, Token
from annotune.deadline import Deadline
from annotune.errors import AnswerCut, AnswerRefused
from annotune.servers.base import most_bytes
from annotune.servers.capabilities import Capabilities
from annotune.servers.ollama_http import OllamaHttp
from annotune.servers.ollama_registry import OllamaRegistry
from annotune.servers.thoughts import without_thoughts

KEEP_ALIVE = "30m"


class OllamaClient:
    """One Ollama, at `url` (without `/v1`). `registry` has its models, over the same connections."""

    name = "ollama"
    capabilities = Capabilities(free=True, counts_tokens=True, logprobs=True, schema=True, renders=True, registry=True)

    def __init__(self, url: str, *, connections: int = 64) -> None:
        self.url = url
        self._connection = OllamaHttp(url, connections=connections)
        self.registry = OllamaRegistry(self._connection)

    def chat(self, request: ChatRequest, deadline: Deadline) -> Completion:
        """Ask once, by `/api/chat`. Raises as `ModelServer.chat`."""
        started = time.monotonic()
        reply = self._connection.post("/api/chat", _body(request), deadline, most_bytes(request))
        text, thought = _message(reply)
        if not reply.get("done") or text is None:
            raise AnswerRefused(f"Ollama at {self.url} broke off its answer with {request.model}; try again")
        finish: Literal["stop", "length"] = "length" if reply.get("done_reason") == "length" else "stop"
        answer = without_thoughts(text, cut=finish == "length", think=request.think)
        if not answer.strip() and finish == "length" and thought:
            raise AnswerCut("the model was still thinking when its tokens ran out: raise MAX_TOKENS, or unset THINKING")
        # Thoughts have log-probabilities too, and nothing tells them from those of the answer.
        logprobs = reply.get("logprobs") if answer == text and not thought else None
        with self._connection.mapped(deadline):  # it reads values of any type
            return Completion(
                text=answer,
                model=request.model,
                prompt_tokens=int(reply.get("prompt_eval_count", 0)),
                tokens=int(reply.get("eval_count", 0)),
                seconds=time.monotonic() - started,
                finish=finish,
                logprobs=tuple(_token(entry) for entry in logprobs) if logprobs else None,
            )

    def render(self, request: ChatRequest, deadline: Deadline) -> str:
        """The text that the chat template makes of the messages (`_debug_render_only`, Ollama 0.11.5 and later).

        Raises:
            ModelServerError: Ollama does not answer, or is too old.
        """
        body = {
            "model": request.model,
            "messages": [message.as_dict() for message in request.messages],
            "stream": False,
            "_debug_render_only": True,
            "options": _options(request),
        }
        info = self._connection.post("/api/chat", body, deadline).get("_debug_info")
        if not isinstance(info, Mapping) or not isinstance(info.get("rendered_template"), str):
            raise AnswerRefused(f"Ollama at {self.url} does not show the text that it renders: it is older than 0.30")
        return str(info["rendered_template"])

    def check(self, deadline: Deadline) -> None:
        """Ask for the version. Raises as `ModelServer.check`."""
        with self._connection.call(deadline):
            self._connection.http.get("/api/version").raise_for_status()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()


def _body(request: ChatRequest) -> dict[str, Any]:
    """`truncate` and `shift` are off: with them Ollama drops the oldest messages silently (0.33)."""
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
    return body


def _messages(request: ChatRequest) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [message.as_dict() for message in request.messages]
    if request.images:
        messages[-1]["images"] = [base64.b64encode(image.data).decode() for image in request.images]
    return messages


def _options(request: ChatRequest) -> dict[str, Any]:
    options: dict[str, Any] = {
        "temperature": request.temperature,
        "num_ctx": request.num_ctx,
        "num_predict": request.max_tokens,
    }
    return options if request.seed is None else options | {"seed": request.seed}


def _message(reply: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The text of a reply, None where there is none, and whether thoughts come beside it."""
    message = reply.get("message")
    if not isinstance(message, Mapping):
        return None, False
    content = message.get("content")
    return content if isinstance(content, str) else None, bool(message.get("thinking"))


def _token(entry: Mapping[str, Any]) -> Token:
    candidates = tuple((other["token"], float(other["logprob"])) for other in entry.get("top_logprobs") or ())
    return Token(entry["token"], float(entry["logprob"]), candidates)
