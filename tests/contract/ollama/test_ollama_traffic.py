"""Each recorded request is sent again, in the recorded order, because the server's state is part of the contract."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from differences import DIFFERENCES, NEEDS_MORE
from recorded_ggufs import TEMPLATES
from recorded_traffic import FOLDER, Line, differences
from server_under_test import Target

NAMES = [json.loads(text)["name"] for file in sorted(FOLDER.glob("*.jsonl")) for text in file.read_text().splitlines()]
MODEL = "contract-annotune/p1:v0001"
COMMENTED = "9642f73068b500f3822ac4ce2f452e7539095dd2a73a2889791bca7cf6f45013"

# Asked with the embedded server's processes at hand, in test_embedded_faults.py.
ELSEWHERE = {"chat-runner-killed"}

CASES = [name for name in NAMES if name not in ELSEWHERE]

# What must be as it was recorded, but on a real Ollama depends on what its owner has on it.
EMPTY_SERVER_ONLY = {"tags-empty", "ps-empty", "ps", "ps-after-unload", "blob-post", "tags-after-errors", "tags"}


def never_uploaded(target: Target, line: Line) -> Line:
    """The line with another digest: a real Ollama may still have the recorded blob from an earlier run."""
    digest = hashlib.sha256(b"never uploaded").hexdigest()
    text = json.dumps([line.body, line.response])
    for known in target.ggufs:
        text = text.replace(known, digest)
    body, response = json.loads(text)
    return replace(line, body=body, response=response)


def with_the_comment(target: Target, line: Line) -> Line:
    """From here on, the recorded model has the GGUF with the long comment in its template."""
    digest = list(target.ggufs)[list(TEMPLATES).index(COMMENTED)]
    target.upload(digest)
    files = {"m.gguf": f"sha256:{digest}"}
    body = {"model": MODEL, "files": files, "parameters": {"num_ctx": 2048}, "stream": False}
    target.client.post("/api/create", json=body).raise_for_status()
    return line


def asked_before(target: Target, line: Line) -> Line:
    target.ask(line)
    return line


def uploaded(target: Target, line: Line) -> Line:
    for path_and_digest in line.body["files"].values():
        target.upload(path_and_digest.removeprefix("sha256:"))
    return line


def templates_unloaded(target: Target, line: Line) -> Line:
    for model in ("contract-tpl/explicit:v1", "contract-tpl/pad:v1"):
        target.unload(model)
    return line


PREPARATIONS: dict[str, Callable[[Target, Line], Line]] = {
    "create-blob-missing": never_uploaded,
    "create-blob-missing-nostream": never_uploaded,
    "chat-format-schema-logprobs": with_the_comment,
    "chat-cached-prompt": asked_before,
    "create-template-own": uploaded,
    "create-template-pad": uploaded,
    "create-template-article": uploaded,
    "create-template-near": uploaded,
    "create-template-explicit": uploaded,
    "chat-pad-after-unload": templates_unloaded,
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_recorded(name: str, target: Target, lines: dict[str, Line]) -> None:
    if target.embedded and name in DIFFERENCES:
        pytest.skip(DIFFERENCES[name])
    if not target.embedded and name in NEEDS_MORE:
        pytest.skip(NEEDS_MORE[name])
    line = lines[name]
    if name in PREPARATIONS:
        line = PREPARATIONS[name](target, line)
    answer = target.ask(line)
    if not target.embedded and name in EMPTY_SERVER_ONLY:
        pytest.skip("what this answers depends on what the real Ollama's owner has on it")
    assert differences(line, answer) == []


def test_cases_and_differences_cover_the_recording() -> None:
    asked_of_the_embedded = (set(CASES) | ELSEWHERE) - set(DIFFERENCES)
    assert asked_of_the_embedded | set(DIFFERENCES) == set(NAMES)
    assert len(NAMES) == len(set(NAMES))


def test_tables_name_recorded_lines_and_give_reasons() -> None:
    assert set(PREPARATIONS) | EMPTY_SERVER_ONLY <= set(NAMES)
    assert all(reason.strip() for reason in [*DIFFERENCES.values(), *NEEDS_MORE.values()])
    assert set(NEEDS_MORE) <= set(DIFFERENCES)
    assert not ELSEWHERE & set(DIFFERENCES)
