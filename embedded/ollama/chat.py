"""The routes POST /api/chat and POST /api/generate."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from embedded.ollama.answers import ApiError, json_body, ndjson, text_field, timestamp
from embedded.ollama.generation import (
    End,
    GenerationRequest,
    Piece,
    answer,
    check_image,
    parse_generation,
    parse_messages,
    render,
    with_model_messages,
)
from embedded.ollama.pool import Pool

Line = dict[str, Any]
TextFields = Callable[[str], Line]
"""Makes the fields of a line that hold a text of the answer."""


async def chat(pool: Pool, request: Request) -> Response:
    body = await json_body(request)
    messages, images = parse_messages(body.get("messages"))
    generation = parse_generation(pool.registry, body, "ChatRequest")
    if not messages:
        return await _without_prompt(pool, generation, _message_fields)
    generation = replace(generation, messages=with_model_messages(generation.model, messages), images=images)
    if body.get("_debug_render_only"):
        return await _rendered(pool, generation, {"message": {"role": "", "content": ""}})
    return await _reply(pool, generation, _message_fields, streamed=body.get("stream") is not False)


async def generate(pool: Pool, request: Request) -> Response:
    body = await json_body(request)
    prompt = text_field(body, "prompt", "GenerateRequest")
    system = text_field(body, "system", "GenerateRequest")
    images = tuple(check_image(image) for image in body.get("images") or [])
    generation = parse_generation(pool.registry, body, "GenerateRequest")
    if not prompt:
        return await _without_prompt(pool, generation, _response_fields)
    if body.get("suffix"):
        raise ApiError(400, f"{generation.model.name.full} does not support insert")
    raw = bool(body.get("raw"))
    own_system = [{"role": "system", "content": system}] if system else []
    messages = [*own_system, {"role": "user", "content": prompt}]
    generation = replace(
        generation,
        raw=prompt if raw else None,
        messages=with_model_messages(generation.model, messages),
        images=images,
    )
    if body.get("_debug_render_only"):
        return await _rendered(pool, generation, {"response": ""})
    streamed = body.get("stream") is not False
    return await _reply(pool, generation, _response_fields, streamed=streamed, with_tokens=not raw)


def _message_fields(text: str) -> Line:
    return {"message": {"role": "assistant", "content": text}}


def _response_fields(text: str) -> Line:
    return {"response": text}


def _line(generation: GenerationRequest, fields: Line, *, done: bool) -> Line:
    return {"model": generation.requested_name, "created_at": timestamp(), **fields, "done": done}


async def _without_prompt(pool: Pool, generation: GenerationRequest, text_fields: TextFields) -> Response:
    """The answer to a request without a prompt, which loads the model, or unloads it with `keep_alive` 0."""
    if generation.keep_alive_s == 0:
        pool.unload(generation.model)
        reason = "unload"
    else:
        async with pool.lease(generation.model, generation.options, generation.keep_alive_s):
            reason = "load"
    return JSONResponse(_line(generation, text_fields(""), done=True) | {"done_reason": reason})


async def _rendered(pool: Pool, generation: GenerationRequest, empty: Line) -> Response:
    text = await render(pool, generation)
    return JSONResponse(_line(generation, empty, done=False) | {"_debug_info": {"rendered_template": text}})


async def _reply(
    pool: Pool, generation: GenerationRequest, text_fields: TextFields, *, streamed: bool, with_tokens: bool = False
) -> Response:
    pieces = answer(pool, generation, with_tokens=with_tokens)
    if streamed:
        first = await anext(pieces)  # awaited here, so an error before the first piece still sets the status
        return ndjson(_lines(generation, first, pieces, text_fields))
    async with aclosing(pieces):
        texts, logprobs = [], []
        async for piece in pieces:
            if isinstance(piece, End):
                end = piece
            else:
                texts.append(piece.text)
                logprobs += piece.logprobs
    last = _line(generation, text_fields("".join(texts)), done=True) | {"done_reason": end.reason}
    return JSONResponse(last | _with(logprobs=logprobs) | _with(context=end.tokens) | end.statistics())


async def _lines(
    generation: GenerationRequest,
    first: Piece | End,
    pieces: AsyncGenerator[Piece | End, None],
    text_fields: TextFields,
) -> AsyncGenerator[Line, None]:
    async with aclosing(pieces):
        piece: Piece | End | None = first
        try:
            while isinstance(piece, Piece):
                yield _line(generation, text_fields(piece.text), done=False) | _with(logprobs=piece.logprobs)
                piece = await anext(pieces)
        except ApiError as error:
            yield {"error": error.message}
            return
        if isinstance(piece, End):
            last = _line(generation, text_fields(""), done=True) | {"done_reason": piece.reason}
            yield last | _with(context=piece.tokens) | piece.statistics()


def _with(**fields: list[Any]) -> Line:
    return {name: value for name, value in fields.items() if value}
