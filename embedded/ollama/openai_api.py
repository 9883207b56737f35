"""Ollama's OpenAI-compatible routes: /v1/models and /v1/chat/completions. Unknown fields are ignored."""

import json
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from embedded.ollama.answers import ApiError, json_body
from embedded.ollama.generation import (
    End,
    Piece,
    answer,
    find_model,
    parse_generation,
    parse_messages,
    with_model_messages,
)
from embedded.ollama.names import InvalidName, ModelName
from embedded.ollama.pool import Pool
from embedded.ollama.registry import Manifest, Registry

ERROR_TYPES = {400: "invalid_request_error", 404: "not_found_error"}

# OpenAI's field -> Ollama's option, and the value that Ollama sets if the field is absent.
OPTIONS: dict[str, tuple[str, Any]] = {
    "max_tokens": ("num_predict", None),
    "temperature": ("temperature", 1.0),
    "top_p": ("top_p", 1.0),
    "seed": ("seed", None),
    "frequency_penalty": ("frequency_penalty", None),
    "presence_penalty": ("presence_penalty", None),
    "stop": ("stop", None),
}

Chunk = dict[str, Any]


def error_response(error: ApiError) -> JSONResponse:
    kind = ERROR_TYPES.get(error.status, "api_error")
    shown = {"message": error.message, "type": kind, "param": None, "code": None}
    return JSONResponse({"error": shown}, error.status)


def list_models(registry: Registry) -> Response:
    return JSONResponse({"object": "list", "data": [_model(model) for model in registry.models()]})


def show_model(registry: Registry, name: str) -> Response:
    try:
        return JSONResponse(_model(find_model(registry, ModelName.parse(name).short)))
    except InvalidName as error:
        raise ApiError(404, f"model '{name}' not found") from error


def _model(model: Manifest) -> Chunk:
    created = int(datetime.fromisoformat(model.modified_at).timestamp())
    return {"id": model.name.short, "object": "model", "created": created, "owned_by": model.name.namespace}


async def chat_completions(pool: Pool, request: Request) -> Response:
    body = await json_body(request)
    if not body.get("messages"):
        raise ApiError(400, "[] is too short - 'messages'")
    messages, images = parse_messages([part for item in body["messages"] for part in _split(item)])
    native = {
        "model": body.get("model"),
        "options": _options(body),
        "format": _format(body.get("response_format")),
        "logprobs": body.get("logprobs"),
        "top_logprobs": body.get("top_logprobs"),
        "tools": body.get("tools"),
    }
    generation = parse_generation(pool.registry, native, "ChatCompletionRequest")
    generation = replace(generation, messages=with_model_messages(generation.model, messages), images=images)
    pieces = answer(pool, generation)
    streamed = bool(body.get("stream"))
    head = {
        "id": f"chatcmpl-{secrets.randbelow(1000)}",
        "object": "chat.completion.chunk" if streamed else "chat.completion",
        "created": int(time.time()),
        "model": generation.requested_name,
        "system_fingerprint": "fp_ollama",
    }
    if streamed:
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        first = await anext(pieces)
        return StreamingResponse(_events(head, first, pieces, usage=usage), media_type="text/event-stream")
    return await _complete(head, pieces)


def _split(message: dict[str, Any]) -> list[dict[str, Any]]:
    """One message for each part of a message's content, as Ollama splits it."""
    content = message.get("content")
    if not isinstance(content, list):
        return [message]
    return [{"role": message.get("role"), **_part(part)} for part in content]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"content": part.get("text")}
    if part.get("type") != "image_url":
        raise ApiError(400, "invalid message format")
    url = part.get("image_url")
    address = str(url.get("url", "")) if isinstance(url, dict) else str(url)
    if not address.startswith("data:"):
        raise ApiError(400, "image URLs are not currently supported, please use base64 encoded data instead")
    return {"content": "", "images": [address.partition(",")[2]]}


def _options(body: dict[str, Any]) -> dict[str, Any]:
    options = {ours: body.get(theirs, default) for theirs, (ours, default) in OPTIONS.items()}
    if isinstance(options["stop"], str):
        options["stop"] = [options["stop"]]
    return {name: value for name, value in options.items() if value is not None}


def _format(response_format: dict[str, Any] | None) -> object:
    kind = (response_format or {}).get("type")
    if kind == "json_schema" and response_format:
        return (response_format.get("json_schema") or {}).get("schema")
    return "json" if kind == "json_object" else None


def _usage(end: End) -> dict[str, int]:
    total = end.prompt_count + end.eval_count
    return {"prompt_tokens": end.prompt_count, "completion_tokens": end.eval_count, "total_tokens": total}


def _content(logprobs: list[dict[str, Any]]) -> Chunk:
    return {"logprobs": {"content": logprobs}} if logprobs else {}


async def _complete(head: Chunk, pieces: AsyncGenerator[Piece | End, None]) -> Response:
    async with aclosing(pieces):
        texts, logprobs = [], []
        async for piece in pieces:
            if isinstance(piece, End):
                end = piece
            else:
                texts.append(piece.text)
                logprobs += piece.logprobs
    message = {"role": "assistant", "content": "".join(texts)}
    choice = {"index": 0, "message": message, "finish_reason": end.reason, **_content(logprobs)}
    return JSONResponse({**head, "choices": [choice], "usage": _usage(end)})


async def _events(
    head: Chunk, first: Piece | End, pieces: AsyncGenerator[Piece | End, None], *, usage: bool
) -> AsyncGenerator[str, None]:
    role = {"role": "assistant"}
    async with aclosing(pieces):
        piece = first
        try:
            while isinstance(piece, Piece):
                choice = {"index": 0, "delta": {**role, "content": piece.text}, "finish_reason": None}
                yield _event({**head, "choices": [{**choice, **_content(piece.logprobs)}]})
                role = {}
                piece = await anext(pieces)
        except ApiError as error:
            yield _event({"error": {"message": error.message, "type": "api_error", "param": None, "code": None}})
            return
        yield _event({**head, "choices": [{"index": 0, "delta": role, "finish_reason": piece.reason}]})
        if usage:
            yield _event({**head, "choices": [], "usage": _usage(piece)})
        yield "data: [DONE]\n\n"


def _event(value: Chunk) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"
