"""A thousand predictions while the pointer moves twenty times: none fails, and each bears the version that made it."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeOllama, serving

from annotune.models import ModelVersion
from annotune.store.store import Store
from curation.templates import find_template
from embedded.deployment import Deployment

PROJECT = 4
ASKED, PEOPLE, MOVES = 1000, 8, 10
CONFIG = find_template("question-answering").config


class Echo(FakeOllama):
    """Answers with the name of the model that was asked."""

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, reply = super()._chat(body)
        return status, reply | {"message": {"role": "assistant", "content": body["model"]}}


@pytest.fixture
def ollama() -> Iterator[Echo]:
    double = Echo()
    with serving(double) as double.url:
        yield double


@pytest.fixture
def deployment(redis_url: str, ollama: Echo, tmp_path: Path) -> Iterator[Deployment]:
    settings = {
        "OPENAI_PROVIDER": "ollama",
        "OPENAI_MODEL": "base",
        "OLLAMA_ENDPOINT": ollama.url,
        "REDIS_URL": redis_url,
        "WORKERS": "2",
        "LOG_LEVEL": "WARNING",
    }
    with Deployment(tmp_path, settings) as running:
        running.start_backend()
        yield running


def version(number: int) -> ModelVersion:
    return ModelVersion(
        project=PROJECT,
        number=number,
        model=f"annotune/main-p4:v{number:04d}-01234567",
        digest="0" * 64,
        run=f"run-{number}",
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        num_ctx=2048,
        state="promoted",
    )


def ask(port: int, first: int, number: int) -> list[tuple[str, str]]:
    """The model that answered and the version that was told, of each of `number` questions."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        return [_asked(connection, task) for task in range(first, first + number)]


def _asked(connection: http.client.HTTPConnection, task: int) -> tuple[str, str]:
    prompt = {"from_name": "prompt", "to_name": "chat", "type": "textarea", "value": {"text": ["Who are you?"]}}
    body = {
        "tasks": [{"id": task, "data": {"question": f"Who answers {task}?"}}],
        "project": f"{PROJECT}.1",
        "label_config": CONFIG,
        "params": {"context": {"result": [prompt]}},
    }
    connection.request("POST", "/predict", json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    parsed = json.loads(reply.read())
    assert reply.status == http.HTTPStatus.OK, parsed
    [result] = parsed["results"]
    [text] = [region["value"]["text"] for region in result["result"] if region["from_name"] == "response"]
    return text[0], result["model_version"]


def test_no_answer_fails_and_none_bears_another_version(deployment: Deployment, ollama: Echo, redis_url: str) -> None:
    store, old, new = Store.connect(redis_url), version(1), version(2)
    for each in (old, new):
        ollama.models[each.model] = each.digest
        store.versions.save(each)
    assert store.live.swap(PROJECT, None, old.ref)
    over = threading.Event()

    def move() -> int:
        """Promote and roll back, in equal parts of the questions; the number of moves."""
        moved = 0
        while not over.is_set() or moved < 2 * MOVES:
            assert store.live.swap(PROJECT, old.ref, new.ref)
            over.wait(0.05)
            assert store.live.swap_back(PROJECT, new.ref, old.ref)
            over.wait(0.05)
            moved += 2
        return moved

    with ThreadPoolExecutor(PEOPLE + 1) as pool:
        moving = pool.submit(move)
        each = ASKED // PEOPLE
        people = [pool.submit(ask, deployment.port, 1000 * person, each) for person in range(PEOPLE)]
        try:
            said = [answer for person in people for answer in person.result()]
        finally:
            over.set()
    store.close()

    assert moving.result() >= 2 * MOVES
    assert len(said) == ASKED
    assert [(model, told) for model, told in said if not told.startswith(f"{model}@")] == []
    answered = Counter(model for model, _ in said)
    assert set(answered) == {old.model, new.model}, answered
