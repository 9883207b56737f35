"""Parts are killed at random while five people correct 300 answers: each correction is learnt once, none is replaced.

`make faults`; about six minutes on two cores. The controls are those of the article's second project, where a correction of
an answer asks the model again: only the backend itself can tell it from a new question.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from services import Eventually

from annotune.label_studio.client import LabelStudioClient
from annotune.servers.ollama import OllamaClient
from annotune.store.redis import connect_redis
from annotune.store.store import Store
from curation.projects import NewProject, create_project
from embedded.base_model import BASE_MODEL, add_base_model
from embedded.deployment import Deployment
from embedded.label_studio import LabelStudio
from embedded.ollama import OllamaServer
from embedded.redis import RedisServer

CONFIG = """<View><Text name="chat" value="$question"/>
<TextArea name="prompt" toName="chat" rows="4" editable="true" maxSubmissions="1" showSubmitButton="true"/>
<TextArea name="response" toName="chat" rows="4" editable="true" maxSubmissions="1" showSubmitButton="false"/></View>"""
PROMPT = "Answer the question in one short sentence."
PEOPLE, CORRECTIONS, ROUNDS = 5, 300, 30
CHANGED_IN = 5  # one annotation in so many is corrected once more, later
SEED = 20261126
DOWN_S = 2.0
ALL_S = 900
CALL_S = 120


@dataclass
class Person:
    """A scripted annotator, by the calls that Label Studio's page makes.

    `replaced` holds what the backend would have put in place of a person's text, `texts` the last text of each
    annotation by its id.
    """

    http: httpx.Client
    backend: int
    ends: float
    replaced: list[tuple[int, str]] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)

    def work(self, tasks: list[int], done: Callable[[], None]) -> None:
        for number, task in enumerate(tasks):
            answer = self._ask(task)
            mine = f"{answer} As corrected in task {task}."
            self._edit(task, mine)
            annotation = self._submit(task, mine)
            self._edit(task, mine)  # the page may ask once more while it is left
            if number % CHANGED_IN == 0:
                mine = f"{mine} And once more \U0001f48a."
                self._edit(task, mine)
                self._send("PATCH", f"/api/annotations/{annotation}/", {"result": editor(mine)})
            self.texts[annotation] = mine
            done()

    def _ask(self, task: int) -> str:
        """Ask until there is an answer: each part may be away."""
        pause = threading.Event()
        while time.monotonic() < self.ends:
            texts = self._said(task, editor())
            if texts:
                return texts[0]
            pause.wait(0.5)
        raise AssertionError(f"task {task} was not answered before the end")

    def _edit(self, task: int, text: str) -> None:
        """As the page does when a person leaves the field of the answer."""
        self.replaced += [(task, said) for said in self._said(task, editor(text))]

    def _said(self, task: int, regions: list[dict[str, Any]]) -> list[str]:
        body = {"task": task, "context": {"result": regions}}
        reply = self._send("POST", f"/api/ml/{self.backend}/interactive-annotating", body)
        found = reply.get("data") or {}  # without it: the backend was away, and the page shows what it has
        return [text for region in found.get("result", []) for text in region["value"]["text"]]

    def _submit(self, task: int, text: str) -> int:
        return int(self._send("POST", f"/api/tasks/{task}/annotations/", {"result": editor(text)})["id"])

    def _send(self, method: str, path: str, body: object) -> dict[str, Any]:
        reply = self.http.request(method, path, json=body)
        reply.raise_for_status()
        found: dict[str, Any] = reply.json()
        return found


def editor(answer: str | None = None) -> list[dict[str, Any]]:
    texts = {"prompt": PROMPT} | ({"response": answer} if answer else {})
    return [
        {"id": name, "from_name": name, "to_name": "chat", "type": "textarea", "value": {"text": [text]}}
        for name, text in texts.items()
    ]


@dataclass(frozen=True)
class Parts:
    """All that is killed, and how each comes back."""

    redis: RedisServer
    ollama: OllamaServer
    deployment: Deployment
    store: Store
    folder: Path

    def kill(self, name: str, down_s: float) -> None:
        service, start = {
            "backend": (self.deployment.backend, self.deployment.start_backend),
            "worker": (self.deployment.worker, self.deployment.start_worker),
            "redis": (self.redis.service, self.redis.start),
            "model server": (self.ollama.service, self.ollama.start),
        }[name]
        service.stop(grace_s=0)
        threading.Event().wait(down_s)
        start()


@pytest.fixture
def parts(tmp_path: Path, label_studio: LabelStudio, trainer_python: Path, short_recipe: Path) -> Iterator[Parts]:
    with RedisServer(tmp_path / "redis") as redis, OllamaServer(tmp_path / "ollama", threads=1) as ollama:
        registry = OllamaClient(ollama.url)
        add_base_model(registry)
        registry.close()
        settings = {
            "OPENAI_PROVIDER": "ollama",
            "OPENAI_MODEL": BASE_MODEL,
            "OLLAMA_ENDPOINT": ollama.url,
            "REDIS_URL": redis.url,
            "LABEL_STUDIO_URL": label_studio.url,
            "LABEL_STUDIO_API_KEY": label_studio.api_key,
            "DEPLOYMENT": "kills",
            "TEMPERATURE": "0",
            "MAX_TOKENS": "8",
            "NUM_CTX": "512",
            "RECONCILE_S": "20",
            "WORKERS": "2",
            "THREADS": "16",
            "RECIPE": str(short_recipe),
            "TRAINER_PYTHON": str(trainer_python),
        }
        with (
            Deployment(tmp_path, settings) as deployment,
            connect_redis(redis.url, patience="job", decode=True) as connection,
        ):
            deployment.start_backend()
            deployment.start_worker()
            yield Parts(redis, ollama, deployment, Store(connection, "kills"), tmp_path)


@pytest.fixture
def project(parts: Parts, label_studio: LabelStudio) -> NewProject:
    with closing(LabelStudioClient(label_studio.url, label_studio.api_key)) as client:
        data = [{"question": f"What is the dose of drug number {number}?"} for number in range(CORRECTIONS)]
        made = create_project(client, title="Kills", config=CONFIG, data=data)
    parts.deployment.run("connect", str(made.id))
    return made


def test_each_correction_is_learnt_once_and_none_is_replaced(
    parts: Parts, project: NewProject, label_studio: LabelStudio, eventually: Eventually
) -> None:
    chance, ends = random.Random(SEED), time.monotonic() + ALL_S  # noqa: S311 - which part is killed
    count, counting = 0, threading.Lock()

    def done() -> None:
        nonlocal count
        with counting:
            count += 1

    headers = {"Authorization": f"Token {label_studio.api_key}"}
    with (
        httpx.Client(base_url=label_studio.url, headers=headers, timeout=CALL_S, trust_env=False) as http,
        ThreadPoolExecutor(PEOPLE) as pool,
    ):
        backend = http.get(f"/api/ml?project={project.id}").json()[0]["id"]
        people = [Person(http, backend, ends) for _ in range(PEOPLE)]
        working = [
            pool.submit(person.work, list(project.tasks[first::PEOPLE]), done) for first, person in enumerate(people)
        ]
        killed = []
        for number in range(ROUNDS):
            wanted = (number + 1) * CORRECTIONS // (ROUNDS + 2)
            eventually(
                lambda wanted=wanted: count >= wanted or any(one.done() for one in working), ends - time.monotonic()
            )
            name = chance.choice(["backend", "redis", "model server", "worker"])
            parts.kill(name, chance.uniform(0, DOWN_S))
            killed.append(name)
        for one in working:
            one.result(timeout=max(1, ends - time.monotonic()))
    texts = {annotation: text for person in people for annotation, text in person.texts.items()}

    assert set(killed) == {"backend", "redis", "model server", "worker"}
    assert [replaced for person in people for replaced in person.replaced] == []
    assert len(texts) == CORRECTIONS
    eventually(
        lambda: (tally := parts.store.changes.summary(project.id)) and tally.usable == CORRECTIONS,
        ends - time.monotonic(),
    )
    parts.deployment.run("train", str(project.id), "--no-wait")
    runs, pattern = parts.folder / "runs", f"p{project.id}/*/dataset/manifest.json"
    manifest = eventually(lambda: next(runs.glob(pattern), None), ends - time.monotonic())
    rows = [
        json.loads(line)
        for name in ("train", "eval")
        for line in (manifest.parent / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert sorted(row["id"] for row in rows) == sorted(texts)
    assert {row["id"]: row["answer"] for row in rows} == texts
