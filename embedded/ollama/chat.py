"""Ollama's own ways of asking: POST /api/chat and POST /api/generate."""

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
Say = Callable[[str], Line]


async def chat(pool: Pool, request: Request) -> Response:
    body = await json_body(request)
    messages, images = parse_messages(body.get("messages"))
    question = parse_generation(pool.registry, body, "ChatRequest")
    if not messages:
        return await _without_prompt(pool, question, _say_message)
    asked = replace(question, messages=with_model_messages(question.model, messages), images=images)
    if body.get("_debug_render_only"):
        return await _rendered(pool, asked, {"message": {"role": "", "content": ""}})
    return await _reply(pool, asked, _say_message, streamed=body.get("stream") is not False)


async def generate(pool: Pool, request: Request) -> Response:
    body = await json_body(request)
    prompt = text_field(body, "prompt", "GenerateRequest")
    system = text_field(body, "system", "GenerateRequest")
    images = tuple(check_image(image) for image in body.get("images") or [])
    question = parse_generation(pool.registry, body, "GenerateRequest")
    if not prompt:
        return await _without_prompt(pool, question, _say_response)
    if body.get("suffix"):
        raise ApiError(400, f"{question.model.name.full} does not support insert")
    raw = bool(body.get("raw"))
    own_system = [{"role": "system", "content": system}] if system else []
    messages = [*own_system, {"role": "user", "content": prompt}]
    asked = replace(
        question,
        raw=prompt if raw else None,
        messages=with_model_messages(question.model, messages),
        images=images,
    )
    if body.get("_debug_render_only"):
        return await _rendered(pool, asked, {"response": ""})
    streamed = body.get("stream") is not False
    return await _reply(pool, asked, _say_response, streamed=streamed, with_tokens=not raw)


def _say_message(text: str) -> Line:
    return {"message": {"role": "assistant", "content": text}}


def _say_response(text: str) -> Line:
    return {"response": text}


def _line(question: GenerationRequest, said: Line, *, done: bool) -> Line:
    return {"model": question.requested_name, "created_at": timestamp(), **said, "done": done}


async def _without_prompt(pool: Pool, question: GenerationRequest, say: Say) -> Response:
    """Nothing is asked: the model is loaded, or unloaded with `keep_alive` 0."""
    if question.keep_alive_s == 0:
        pool.unload(question.model)
        reason = "unload"
    else:
        async with pool.lease(question.model, question.options, question.keep_alive_s):
            reason = "load"
    return JSONResponse(_line(question, say(""), done=True) | {"done_reason": reason})


async def _rendered(pool: Pool, question: GenerationRequest, empty: Line) -> Response:
    text = await render(pool, question)
    return JSONResponse(_line(question, empty, done=False) | {"_debug_info": {"rendered_template": text}})


async def _reply(
    pool: Pool, question: GenerationRequest, say: Say, *, streamed: bool, with_tokens: bool = False
) -> Response:
    pieces = answer(pool, question, with_tokens=with_tokens)
    if streamed:
        first = await anext(pieces)  # so that an error before it has its own status
        return ndjson(_lines(question, first, pieces, say))
    async with aclosing(pieces):
        texts, logprobs = [], []
        async for piece in pieces:
            if isinstance(piece, End):
                end = piece
            else:
                texts.append(piece.text)
                logprobs += piece.logprobs
    last = _line(question, say("".join(texts)), done=True) | {"done_reason": end.reason}
    return JSONResponse(last | _with(logprobs=logprobs) | _with(context=end.tokens) | end.statistics())


async def _lines(
    question: GenerationRequest, first: Piece | End, pieces: AsyncGenerator[Piece | End, None], say: Say
) -> AsyncGenerator[Line, None]:
    async with aclosing(pieces):
        piece: Piece | End | None = first
        try:
            while isinstance(piece, Piece):
                yield _line(question, say(piece.text), done=False) | _with(logprobs=piece.logprobs)
                piece = await anext(pieces)
        except ApiError as error:
            yield {"error": error.message}
            return
        if isinstance(piece, End):
            last = _line(question, say(""), done=True) | {"done_reason": piece.reason}
            yield last | _with(context=piece.tokens) | piece.statistics()


def _with(**fields: list[Any]) -> Line:
    return {name: value for name, value in fields.items() if value}
