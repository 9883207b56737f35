"""The recorded traffic, and how answers are compared: by status, keys, error text and order, not by time and digest."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

FOLDER = Path(__file__).with_name("traffic")

# The models of the suite get names of their own, so that a real Ollama's are neither overwritten nor deleted.
PREFIX = "contract-"
OURS = re.compile(r"(?<![\w-])(?=(?:annotune/p1|x/a:v|tpl/|f/sys:|f/msg:|q/q8:))", re.IGNORECASE)

LEFT_OUT = re.compile(r"\.\.\. \d+ (lines left out|more) \.\.\.")
LAYER = re.compile(r"^(using existing|creating new) layer sha256:[0-9a-f]{64}$")
DETECTED = "using autodetected template"
GENERATED = {"content", "response", "context", "logprobs", "done_reason", "finish_reason", "eval_count"}
GENERATED |= {"completion_tokens", "total_tokens"}
VARYING = {"created_at", "modified_at", "expires_at", "digest", "size", "size_vram", "id", "created", "version"}
VARYING |= {"total_duration", "load_duration", "prompt_eval_duration", "eval_duration", "load", "tensors"}
VARYING |= {"modelfile", "template"}


@dataclass(frozen=True)
class Line:
    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    raw: str | None
    response: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    media_type: str
    text: str


def recorded(digests: Mapping[str, str]) -> dict[str, Line]:
    """All lines by name, in order, with the names of our models and our digests in place of the recorded ones."""
    lines = {}
    for file in sorted(FOLDER.glob("*.jsonl")):
        for text in file.read_text().splitlines():
            line = parse(json.loads(translated(text, digests)))
            lines[line.name] = line
    return lines


def translated(text: str, digests: Mapping[str, str]) -> str:
    for theirs, ours in digests.items():
        text = text.replace(theirs, ours)
    return OURS.sub(PREFIX, text)


def parse(fields: dict[str, Any]) -> Line:
    request = fields["request"]
    return Line(
        fields["name"],
        request["method"],
        request["path"],
        request.get("headers", {}),
        request.get("body"),
        request.get("raw"),
        fields["response"],
    )


def answer_of(response: httpx.Response) -> Answer:
    media_type = response.headers.get("content-type", "").partition(";")[0]
    return Answer(response.status_code, media_type, response.text)


def differences(line: Line, answer: Answer) -> list[str]:
    """The differences from the recorded answer, in words; empty if there are none."""
    expected = line.response
    found = []
    if answer.status != expected["status"]:
        found.append(f"status {answer.status}, recorded {expected['status']}: {answer.text[:300]}")
        return found
    media_type = expected["headers"].get("content-type", "").partition(";")[0]
    if line.method != "HEAD" and media_type and answer.media_type != media_type:
        found.append(f"content-type {answer.media_type}, recorded {media_type}")
    if "text" in expected:
        if answer.text != expected["text"]:
            found.append(f"text {answer.text!r}, recorded {expected['text']!r}")
    elif "body" in expected:
        compare("", json.loads(answer.text), expected["body"], found)
    else:
        compare_lines([it for it in answer.text.splitlines() if it], expected["lines"], found)
    return found


def compare_lines(actual: list[str], expected: list[str], found: list[str]) -> None:
    ours, theirs = ([event(line) for line in lines if not LEFT_OUT.fullmatch(line)] for lines in (actual, expected))
    if any("status" in line for line in theirs):
        if statuses(ours) != statuses(theirs):
            found.append(f"statuses {statuses(ours)}, recorded {statuses(theirs)}")
        return
    shapes_ours, shapes_theirs = shapes(ours), shapes(theirs)
    if shapes_ours != shapes_theirs:
        found.append(f"lines like {shapes_ours}, recorded {shapes_theirs}")
    compare("last", ours[-1], theirs[-1], found)


def event(line: str) -> dict[str, Any]:
    """The JSON of an NDJSON line or of a server-sent event."""
    text = line.removeprefix("data: ")
    fields: dict[str, Any] = {"done": text} if text == "[DONE]" else json.loads(text)
    return fields


def statuses(lines: list[dict[str, Any]]) -> list[str]:
    """The statuses, with those of layers as one, since the server may have some layers. Detected templates are left out."""
    told: list[str] = []
    for line in lines:
        status = line.get("status", f"error: {masked(str(line.get('error')))}")
        status = LAYER.sub("layer", status)
        if not status.startswith(DETECTED) and told[-1:] != [status]:
            told.append(status)
    return told


def shapes(lines: list[dict[str, Any]]) -> list[str]:
    """The keys of each line; equal neighbours count as one."""
    told: list[str] = []
    for line in lines:
        shape = json.dumps(keys(line))
        if told[-1:] != [shape]:
            told.append(shape)
    return told


def keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: keys(inner) for key, inner in value.items() if key not in {"logprobs", "context"}}
    if isinstance(value, list):
        return [keys(value[0])] if value else []
    return None


def compare(place: str, actual: Any, expected: Any, found: list[str]) -> None:
    name = place.rpartition(".")[2]
    if isinstance(actual, dict) and isinstance(expected, dict):
        if actual.keys() != expected.keys():
            found.append(f"{place}: keys {list(actual)}, recorded {list(expected)}")
        for key in actual.keys() & expected.keys():
            compare(f"{place}.{key}", actual[key], expected[key], found)
    elif name in VARYING | GENERATED:
        if type(actual) is not type(expected):
            found.append(f"{place}: {actual!r}, recorded {expected!r}")
    elif name in {"models", "data"} and actual and expected:
        compare_models(place, actual, expected, found)
    elif isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        for at, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
            compare(f"{place}[{at}]", ours, theirs, found)
    elif name in {"error", "message"} and isinstance(actual, str) and isinstance(expected, str):
        compare_errors(place, actual, expected, found)
    elif actual != expected:
        found.append(f"{place}: {actual!r}, recorded {expected!r}")


def compare_models(place: str, actual: list[dict[str, Any]], expected: list[dict[str, Any]], found: list[str]) -> None:
    """Compare lists of models. The recorded server had other models too, so the order counts only for equal names."""
    if keys(actual) != keys(expected):
        found.append(f"{place}: {keys(actual)}, recorded {keys(expected)}")
    ours, theirs = ([model.get("name") or model.get("id") for model in models] for models in (actual, expected))
    if ours != theirs and set(ours) == set(theirs):
        found.append(f"{place}: in the order {ours}, recorded {theirs}")
    if len(expected) == 1:
        compare(f"{place}[0]", actual[0], expected[0], found)


def compare_errors(place: str, actual: str, expected: str, found: list[str]) -> None:
    """Compare errors. Of the engine's JSON errors only the type counts: their words depend on the build of llama.cpp."""
    if expected.startswith("{") and actual.startswith("{"):
        ours, theirs = json.loads(actual)["error"], json.loads(expected)["error"]
        if theirs["type"] != "exceed_context_size_error":
            ours, theirs = ({**it, "message": "in its own words"} for it in (ours, theirs))
        compare(f"{place} inside", ours, theirs, found)
    elif masked(actual) != masked(expected):
        found.append(f"{place}: {actual!r}, recorded {expected!r}")


def masked(error: str) -> str:
    """The text without the folder of the models."""
    return re.sub(r"open \S*/blobs/", "open <models>/blobs/", error)
