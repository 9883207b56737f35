"""Generation: from a request to the pieces of an answer. /api/chat, /api/generate and /v1/chat/completions share it."""

import base64
import binascii
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from embedded.ollama.answers import ApiError, go_kind, text_field
from embedded.ollama.grammar import for_llguidance
from embedded.ollama.names import InvalidName, ModelName
from embedded.ollama.options import keep_alive_s, merged, sampling
from embedded.ollama.pool import LoadedModel, Pool
from embedded.ollama.registry import Manifest, Registry

MAX_TOP_LOGPROBS = 20
NS_PER_MS = 1_000_000

# The schema for format "json". The root of Ollama's own JSON grammar is an object too.
ANY_OBJECT: dict[str, Any] = {"type": "object"}


@dataclass(frozen=True)
class GenerationRequest:
    """What to generate.

    `requested_name` is the model's name as in the request. If `raw` is set, it is the prompt; else `messages` are rendered.
    """

    requested_name: str
    model: Manifest
    options: dict[str, Any]
    keep_alive_s: float
    messages: list[dict[str, Any]] = field(default_factory=list)
    raw: str | None = None
    images: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    logprobs: bool = False
    top_logprobs: int = 0


@dataclass(frozen=True)
class Piece:
    """A piece of the answer. `logprobs` has one `{token, logprob, bytes, top_logprobs}` a token, if requested."""

    text: str
    logprobs: list[dict[str, Any]]


@dataclass(frozen=True)
class End:
    """The end of an answer.

    `reason` is "stop" or "length". `tokens` are those of prompt and answer. Durations are in nanoseconds.
    """

    reason: str
    tokens: list[int]
    prompt_count: int
    eval_count: int
    total_ns: int
    load_ns: int
    prompt_ns: int
    eval_ns: int

    def statistics(self) -> dict[str, int]:
        """The fields of the last line in Ollama's own API. The prompt's count includes cached tokens."""
        return {
            "total_duration": self.total_ns,
            "load_duration": self.load_ns,
            "prompt_eval_count": self.prompt_count,
            "prompt_eval_duration": self.prompt_ns,
            "eval_count": self.eval_count,
            "eval_duration": self.eval_ns,
        }


def find_model(registry: Registry, requested_name: str) -> Manifest:
    """The model of this name.

    Raises:
        ApiError: 400 without a name, 404 for an unknown one.
    """
    if not requested_name:
        raise ApiError(400, "model is required")
    try:
        model = registry.find(ModelName.parse(requested_name))
    except InvalidName:
        model = None
    if model is None:
        raise ApiError(404, f"model '{requested_name}' not found")
    return model


def parse_generation(registry: Registry, body: dict[str, Any], owner: str) -> GenerationRequest:
    """The fields that /api/chat and /api/generate share. Raises ApiError."""
    keep = keep_alive_s(body.get("keep_alive"))
    top = body.get("top_logprobs") or 0
    asked_as = text_field(body, "model", owner)
    model = find_model(registry, asked_as)
    if not isinstance(top, int) or not 0 <= top <= MAX_TOP_LOGPROBS:
        raise ApiError(400, f"top_logprobs must be between 0 and {MAX_TOP_LOGPROBS}")
    if body.get("think"):
        raise ApiError(400, f'"{asked_as}" does not support thinking')
    if body.get("tools"):
        raise ApiError(400, f"{model.name.full} does not support tools")
    if body.get("template"):
        raise ApiError(400, "template is not supported here: the GGUF's own Jinja template is always used")
    return GenerationRequest(
        asked_as,
        model,
        merged(model.parameters, body.get("options")),
        keep,
        schema=parse_format(body.get("format")),
        logprobs=bool(body.get("logprobs")),
        top_logprobs=top,
    )


def parse_format(value: object) -> dict[str, Any] | None:
    """The JSON schema of a request's `format`; None without one.

    Raises:
        ApiError: 500; the format is neither "json" nor an object.
    """
    if value is None or value == "":
        return None
    if value == "json":
        return ANY_OBJECT
    if isinstance(value, dict):
        return value
    shown = f'"\\"{value}\\""' if isinstance(value, str) else f'"{value}"'
    raise ApiError(500, f'invalid format: {shown}; expected "json" or a valid JSON Schema object')


def parse_messages(value: object) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Messages of role and text, and the images among them. Raises ApiError 400."""
    if not isinstance(value, list):
        if value is None:
            return [], ()
        message = (
            f"json: cannot unmarshal {go_kind(value)} into Go struct field ChatRequest.messages of type []api.Message"
        )
        raise ApiError(400, message)
    messages, images = [], []
    for item in value:
        role, content = (text_field(item, name, "ChatRequest.messages") for name in ("role", "content"))
        messages.append({"role": role, "content": content})
        images += [check_image(image) for image in item.get("images") or []]
    return messages, tuple(images)


def check_image(image: str) -> str:
    """An image as base64 text, unchanged.

    Raises:
        ApiError: 400, with Go's message, which names the position of the first invalid character.
    """
    try:
        base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError) as error:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
        position = next((at for at, character in enumerate(image) if character not in alphabet), len(image))
        raise ApiError(400, f"illegal base64 data at input byte {position}") from error
    return image


def with_model_messages(model: Manifest, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with the model's own before them, and its system text first unless there is one (Ollama 0.33)."""
    merged_messages = [*parse_messages(model.messages)[0], *messages]
    if model.system and not (merged_messages and merged_messages[0]["role"] == "system"):
        merged_messages.insert(0, {"role": "system", "content": model.system})
    return merged_messages


async def render(pool: Pool, generation: GenerationRequest) -> str:
    async with pool.lease(generation.model, generation.options, generation.keep_alive_s) as loaded:
        return await _prompt(loaded, generation)


async def _prompt(loaded: LoadedModel, generation: GenerationRequest) -> str:
    if generation.raw is None:
        return await loaded.runner.render(generation.messages, generation.schema)
    if generation.schema is not None:
        await loaded.runner.render(
            [{"role": "user", "content": ""}], generation.schema
        )  # only this route refuses a bad schema
    return generation.raw


async def answer(
    pool: Pool, generation: GenerationRequest, *, with_tokens: bool = False
) -> AsyncGenerator[Piece | End, None]:
    """The pieces of the answer, then one End, which has `tokens` only with `with_tokens`.

    Closing the generator stops the engine. Raises ApiError.
    """
    started = time.monotonic_ns()
    async with pool.lease(generation.model, generation.options, generation.keep_alive_s) as loaded:
        load_ns = time.monotonic_ns() - started
        prompt = await _prompt(loaded, generation)
        body: dict[str, Any] = {**sampling(generation.options), "prompt": prompt, "return_tokens": with_tokens}
        if generation.images:
            body["prompt"] = {"prompt_string": prompt, "multimodal_data": list(generation.images)}
        if generation.schema is not None:
            body["json_schema"] = for_llguidance(generation.schema)
        if generation.logprobs:
            body["n_probs"] = max(1, generation.top_logprobs)
        tokens = await loaded.runner.tokens(prompt) if with_tokens else []
        held: list[
            dict[str, Any]
        ] = []  # of tokens whose text llama.cpp holds back: part of a character or of a stop word
        async with aclosing(loaded.runner.complete(body)) as events:
            async for event in events:
                if event["stop"]:
                    yield _end(event, tokens, started, load_ns)
                    return
                held += [
                    _logprob(entry, generation.top_logprobs) for entry in event.get("completion_probabilities", [])
                ]
                if event["content"]:
                    tokens += event["tokens"] if with_tokens else []
                    yield Piece(event["content"], held)
                    held = []
        raise ApiError(500, "an error was encountered while running the model: unexpected EOF")


def _logprob(entry: dict[str, Any], top: int) -> dict[str, Any]:
    fields = ("token", "logprob", "bytes")
    shown = {name: entry[name] for name in fields}
    if top:
        shown["top_logprobs"] = [{name: other[name] for name in fields} for other in entry["top_logprobs"][:top]]
    return shown


def _end(event: dict[str, Any], tokens: list[int], started: int, load_ns: int) -> End:
    timings = event["timings"]
    return End(
        reason="length" if event["stop_type"] == "limit" else "stop",
        tokens=tokens,
        prompt_count=event["tokens_evaluated"],
        eval_count=event["tokens_predicted"],
        total_ns=time.monotonic_ns() - started,
        load_ns=load_ns,
        prompt_ns=int(timings["prompt_ms"] * NS_PER_MS),
        eval_ns=int(timings["predicted_ms"] * NS_PER_MS),
    )
