"""The same backend behind the server of `label-studio-ml` 1.0.9. The differences are listed, and tested.

| of our own door | there |
| --- | --- |
| `/predict` works at once | 500 until this process was told a config by `/setup` |
| the config is each request's own | the last `/setup`'s, for all projects |
| `/setup` tells model and prompt | always `INITIAL`; each prediction carries the true version |
| an error is a status and a sentence | 200, and an item with `error` for each task |
| an event is noted while it is answered | in a process of its own, afterwards |
| basic auth, and the secret's header | neither |
| `GET /versions` | 405 |
| `extra_params` are used | ignored |
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_model import SIMPLE, Backend, FakePool, MakeBackend, recorded, region, task, texts
from flask import Flask
from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLManager

from annotune.errors import ModelServerUnreachable
from annotune.settings import Settings
from backend.mlbase import AnnotuneModel
from backend.services import Services

AWAY = "Ollama at http://fake is not reachable"
Door = Callable[..., Backend]


@pytest.fixture
def door(make_backend: MakeBackend, tmp_path: Path) -> Iterator[Door]:
    """`door(default_prompt=...)` makes a backend of ours behind the library's server."""

    def make(**settings: object) -> Backend:
        given: dict[str, Any] = {
            "openai_provider": "ollama",
            "openai_model": "base",
            "default_prompt": "Answer briefly",
        }
        parts = make_backend(**(given | settings))
        services = Services.of(
            Settings(**(given | settings)), store=parts.store, servers=FakePool(parts.model), jobs=parts.jobs
        )

        class Model(AnnotuneModel):
            @staticmethod
            def services() -> Services:
                return services

        app: Flask = init_app(Model, model_dir=str(tmp_path))
        return Backend(app, parts.model, parts.store, parts.jobs)

    yield make
    LabelStudioMLManager._current_model = {}


def set_up(backend: Backend, config: str = SIMPLE) -> dict[str, Any]:
    reply = backend.send("/setup", {"project": "4.17", "schema": config}, **{"Content-Type": "application/json"})
    assert reply.status_code == 200, reply.text
    return reply.json


def predict(backend: Backend, *tasks: dict[str, Any], editor: object = "batch") -> Any:
    body = {
        "tasks": [one | {"project": 4} for one in tasks],
        "project": "4.17",
        "label_config": SIMPLE,
        "params": {"login": None, "password": None, "context": None if editor == "batch" else {"result": editor}},
    }
    return backend.send("/predict", body, **{"Content-Type": "application/json"})


def test_a_batch_is_answered_with_its_prompt_and_version(door: Door) -> None:
    backend = door()
    set_up(backend)
    reply = predict(backend, task(1), task(2))

    assert sorted(text["response"][0] for text in texts(reply)) == ["answer 1", "answer 2"]
    assert [text["prompt"] for text in texts(reply)] == [["Answer briefly"]] * 2
    assert all(item["model_version"].startswith("base@") for item in reply.json["results"])


def test_a_person_is_answered_and_noise_is_not(door: Door) -> None:
    backend = door()
    set_up(backend)

    assert texts(predict(backend, task(), editor=[region("prompt", "Explain")])) == [{"response": ["answer 1"]}]
    assert texts(predict(backend, task(), editor=[])) == [{}]
    assert len(backend.model.requests) == 1


def test_the_recorded_requests_are_answered(door: Door) -> None:
    backend = door()
    config = recorded("ui-predict-shift-enter")["body"]["label_config"]
    set_up(backend, config)
    reply = backend.send("/predict", recorded("ui-predict-shift-enter")["body"], **{"Content-Type": "application/json"})

    assert texts(reply) == [{"response": ["answer 1"]}]


def test_before_setup_it_is_500_there(door: Door) -> None:
    assert predict(door(), task()).status_code == 500


def test_setup_tells_no_version_there(door: Door) -> None:
    assert set_up(door()) == {"model_version": "INITIAL"}


def test_an_error_is_each_tasks_own_there_and_no_traceback(door: Door) -> None:
    backend = door()
    set_up(backend)
    backend.model.broken = ModelServerUnreachable(AWAY)
    reply = predict(backend, task(1), task(2))

    assert reply.json["results"] == [{"error": AWAY}, {"error": AWAY}]
    assert "Traceback" not in reply.text


@pytest.mark.parametrize("wrong", [{"id": "x", "data": {}}, {"id": 1}, {"id": 1, "data": {"other": 1}}])
def test_a_wrong_task_is_an_error_of_its_own(door: Door, wrong: dict[str, Any]) -> None:
    backend = door()
    set_up(backend)
    (result,) = predict(backend, wrong).json["results"]

    assert set(result) == {"error"}


def test_versions_are_not_given_there(door: Door) -> None:
    assert door().get("/versions").status_code == 405


@pytest.mark.parametrize("event", ["ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "START_TRAINING"])
def test_the_library_hands_every_event_to_fit(door: Door, event: str) -> None:
    backend = door()
    model = LabelStudioMLManager.model_class(label_config=SIMPLE)
    body = {"project": {"id": 4, "label_config": SIMPLE}, "annotation": {"id": 1, "result": []}}

    assert model.process_event(event, body, "1", {"workdir": "x"})["queued"] is True
    assert sum(backend.jobs.lengths().values()) == 1


def test_the_current_librarys_calls_work_too(door: Door) -> None:
    """It makes a model for each request, with a project, and calls `predict` and `fit` by position."""
    backend = door()
    model = LabelStudioMLManager.model_class(label_config=SIMPLE)
    model.project_id = "4"
    (prediction,) = model.predict([task()], {"result": [region("prompt", "Explain")]}, login=None, password=None)

    assert prediction["result"][0]["value"] == {"text": ["answer 1"]}
    assert model.fit("ANNOTATION_CREATED", {"project": {"id": 4}}, hostname="")["queued"] is True
    assert backend.store.changes.count(4) == 1


def test_an_event_without_a_project_is_not_noted(door: Door) -> None:
    door()
    model = LabelStudioMLManager.model_class(label_config=SIMPLE)

    assert model.fit("PROJECT_UPDATED", {})["queued"] is False
    assert model.fit("START_TRAINING", {})["queued"] is False
