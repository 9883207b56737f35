"""Faults of the embedded server, and what it refuses though a real Ollama does not."""

import json
import os
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from recorded_ggufs import base_gguf
from recorded_traffic import Line

from embedded.ollama import OllamaServer
from embedded.ollama.gguf import BrokenGguf, NotGguf, read_header

MODEL = "faults/model:v1"
DEADLINE_S = 120
LONG = {"messages": [{"role": "user", "content": "Write a very long story."}], "options": {"temperature": 0}}
SHORT = [{"role": "user", "content": "What is the capital of France? Answer with one word."}]
THREE_TOKENS = {"temperature": 0, "num_predict": 3}


def until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not ready():
        assert time.monotonic() < deadline, "it did not come to pass"
        pause.wait(0.05)


@pytest.fixture(scope="module")
def server() -> Iterator[OllamaServer]:
    with TemporaryDirectory() as folder, OllamaServer(Path(folder), slots=1, threads=1) as server:
        server.add_model(MODEL, base_gguf(), {"num_ctx": 2048})
        yield server


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is deleted after the test. pytest keeps its own folders for three runs, and models are large."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def client(server: OllamaServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=600, trust_env=False) as client:
        yield client


def chat(client: httpx.Client, model: str = MODEL, **fields: object) -> httpx.Response:
    body = {"model": model, "messages": SHORT, "options": THREE_TOKENS, "stream": False, **fields}
    return client.post("/api/chat", json=body)


def runners(server: OllamaServer) -> list[int]:
    """The process ids of the runners."""
    server_id = server.service.pid
    return [int(child) for child in Path(f"/proc/{server_id}/task/{server_id}/children").read_text().split()]


def runner_url(server: OllamaServer) -> str:
    """The URL of the runner that was started last, from its log."""
    logs = sorted((server.folder / "logs").glob("*.log"), key=lambda log: log.stat().st_mtime)
    return logs[-1].read_text().rpartition("listening on ")[2].split()[0]


def is_answering(server: OllamaServer) -> bool:
    slots = httpx.get(f"{runner_url(server)}/slots", trust_env=False).json()
    return any(slot["is_processing"] for slot in slots)


def test_a_killed_runner_ends_the_stream_as_recorded(
    server: OllamaServer, client: httpx.Client, lines: dict[str, Line]
) -> None:
    recorded = lines["chat-runner-killed"]
    body = {**recorded.body, "model": MODEL}
    with client.stream(recorded.method, recorded.path, json=body) as response:
        told = response.iter_lines()
        first = next(told)
        for runner in runners(server):
            os.kill(runner, signal.SIGKILL)
        *_, last = told
    assert response.status_code == recorded.response["status"]
    assert json.loads(first).keys() == json.loads(recorded.response["lines"][0]).keys()
    assert json.loads(last) == json.loads(recorded.response["lines"][-1])
    assert chat(client).json()["done_reason"] == "length"


def test_a_client_that_leaves_a_stream_stops_the_engine(server: OllamaServer, client: httpx.Client) -> None:
    with client.stream("POST", "/api/chat", json={"model": MODEL, **LONG}) as response:
        told = response.iter_lines()  # kept: without it, the connection is closed
        next(told)
        assert is_answering(server)
    until(lambda: not is_answering(server))
    assert chat(client).status_code == 200


def test_a_client_that_leaves_before_its_answer_stops_the_engine(server: OllamaServer, client: httpx.Client) -> None:
    assert chat(client).status_code == 200
    with pytest.raises(httpx.ReadTimeout):
        client.post("/api/chat", json={"model": MODEL, **LONG, "stream": False}, timeout=0.5)
    until(lambda: not is_answering(server))
    assert chat(client).status_code == 200


def test_a_corrupt_gguf_harms_nobody_else(server: OllamaServer, client: httpx.Client, folder: Path) -> None:
    content = base_gguf().read_bytes()
    place = content.index(b"llama.block_count") + len(b"llama.block_count") + 4
    corrupt = folder / "corrupt.gguf"
    corrupt.write_bytes(content[:place] + struct.pack("<I", 9999) + content[place + 4 :])
    assert chat(client).status_code == 200
    before = runners(server)
    server.add_model("faults/corrupt:v1", corrupt)
    answer = chat(client, "faults/corrupt:v1")
    assert answer.status_code == 500
    assert "terminated" in answer.json()["error"]
    assert runners(server) == before
    assert chat(client).status_code == 200


def test_a_truncated_gguf_is_refused_at_create(server: OllamaServer, folder: Path) -> None:
    short = folder / "short.gguf"
    short.write_bytes(base_gguf().read_bytes()[:5_000_000])
    with pytest.raises(httpx.HTTPStatusError, match="500"):
        server.add_model("faults/short:v1", short)
    with pytest.raises(BrokenGguf):
        read_header(short)
    short.write_bytes(b"something else")
    with pytest.raises(NotGguf):
        read_header(short)


def test_an_idle_model_is_unloaded(server: OllamaServer, client: httpx.Client) -> None:
    assert chat(client, keep_alive="100ms").status_code == 200
    until(lambda: client.get("/api/ps").json()["models"] == [])
    until(lambda: runners(server) == [])


def test_another_num_ctx_loads_the_model_anew(client: httpx.Client) -> None:
    for num_ctx in (2048, 1024):
        chat(client, options={**THREE_TOKENS, "num_ctx": num_ctx}).raise_for_status()
        (loaded,) = client.get("/api/ps").json()["models"]
        assert loaded["context_length"] == num_ctx


def test_every_slot_has_the_whole_context(server: OllamaServer, folder: Path) -> None:
    with OllamaServer(folder, slots=2, threads=1) as wide:
        wide.add_model(MODEL, base_gguf(), {"num_ctx": 512})
        with httpx.Client(base_url=wide.url, timeout=600, trust_env=False) as client:
            messages = [{"role": "user", "content": "word " * 600}]
            answer = chat(client, messages=messages)
            assert json.loads(answer.json()["error"])["error"]["n_ctx"] == 512
            wide.restart()
            assert [model["name"] for model in client.get("/api/tags").json()["models"]] == [MODEL]


def test_a_killed_server_leaves_no_runner(server: OllamaServer, client: httpx.Client) -> None:
    assert chat(client).status_code == 200
    orphans = runners(server)
    assert orphans
    os.kill(server.service.pid, signal.SIGKILL)
    until(lambda: not any(is_running(orphan) for orphan in orphans))
    server.restart()
    assert chat(client).status_code == 200


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_over_long_prompt_is_refused_without_being_told_to(client: httpx.Client) -> None:
    answer = chat(client, messages=[{"role": "user", "content": "word " * 3000}])
    assert answer.status_code == 400
    assert json.loads(answer.json()["error"])["error"]["type"] == "exceed_context_size_error"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"from": MODEL, "template": "### Q: {{ .Prompt }}"}, "Go templates are not run here"),
        ({"from": "faults/none:v1"}, "nothing is pulled from elsewhere"),
        ({"from": MODEL, "adapters": {"a.gguf": "sha256:" + "0" * 64}}, "adapters are not supported here"),
    ],
)
def test_what_is_not_supported_is_refused_in_words(
    client: httpx.Client, fields: dict[str, object], reason: str
) -> None:
    answer = client.post("/api/create", json={"model": "faults/new:v1", "stream": False, **fields})
    assert answer.is_error
    assert reason in answer.json()["error"]
    assert client.post("/api/show", json={"model": "faults/new:v1"}).status_code == 404


@pytest.mark.parametrize(
    "labels",
    [
        {"enum": ["yes", "no"]},
        {"type": "array", "items": {"enum": ["yes", "no"]}, "minItems": 1, "maxItems": 2, "uniqueItems": True},
        {"$ref": "#/$defs/labels"},
    ],
    ids=["enum", "a keyword that the engine does not know", "reference"],
)
def test_a_schema_binds_the_answer(client: httpx.Client, labels: dict[str, object]) -> None:
    schema = {
        "type": "object",
        "properties": {"label": labels},
        "required": ["label"],
        "$defs": {"labels": {"const": "no"}},
    }
    answer = chat(client, format=schema, options={"temperature": 0, "num_predict": 64}).json()
    parsed = json.loads(answer["message"]["content"])
    assert answer["done_reason"] == "stop"
    assert parsed.keys() == {"label"}
    assert set(parsed["label"] if isinstance(parsed["label"], list) else [parsed["label"]]) <= {"yes", "no"}


def test_a_bad_schema_is_refused(client: httpx.Client) -> None:
    assert chat(client, format={"type": "nonsense"}).status_code == 400
