"""An unreadable record in Redis affects one project: its error says so, and the others are served."""

import json
from typing import Any

import pytest
from fake_model import SIMPLE, Backend, FakeModel, MakeBackend, task

from annotune.errors import RecordUnreadable

BAD, GOOD = 4, 5
NEWER = {"server": "ollama", "model": "tuned", "version": None, "num_ctx": None, "added": 1}
BROKEN = {
    "no JSON": lambda redis, key: redis.set(key, "<?xml?>"),
    "a field is missing": lambda redis, key: redis.set(key, json.dumps({"server": "ollama"})),
    "another server": lambda redis, key: redis.set(key, json.dumps({"server": "vllm", "model": "m"})),
    "another type": lambda redis, key: redis.rpush(key, "x"),
}


@pytest.fixture(params=BROKEN)
def broken(request: pytest.FixtureRequest, backend: Backend) -> Backend:
    """The live pointer of project BAD cannot be read; project GOOD has one."""
    for project in (BAD, GOOD):
        backend.store.projects.remember(project)
    backend.store._redis.set(backend.store.keys.of(GOOD, "live"), json.dumps(NEWER | {"model": "good"}))
    BROKEN[request.param](backend.store._redis, backend.store.keys.of(BAD, "live"))
    return backend


def predict(backend: Backend, project: int) -> Any:
    body = {"tasks": [task(1)], "project": f"{project}.1", "label_config": SIMPLE, "params": {"context": None}}
    return backend.send("/predict", body)


def test_a_field_that_another_version_added_is_ignored(backend: Backend) -> None:
    backend.store._redis.set(backend.store.keys.of(BAD, "live"), json.dumps(NEWER))

    assert predict(backend, BAD).json["results"][0]["model_version"].startswith("tuned@")
    assert backend.send("/setup", {"project": BAD, "schema": SIMPLE}).json["model_version"].startswith("tuned@")


@pytest.mark.parametrize("ask", ["/predict", "/setup"])
def test_its_project_says_which_key_and_what_to_do(broken: Backend, ask: str) -> None:
    reply = predict(broken, BAD) if ask == "/predict" else broken.send(ask, {"project": BAD, "schema": SIMPLE})

    assert reply.status_code == 503
    assert "annotune:main:4:live" in str(reply.json)
    assert "remove the record" in str(reply.json)


def test_other_projects_are_served(broken: Backend) -> None:
    assert predict(broken, GOOD).status_code == 200
    assert broken.send("/setup", {"project": GOOD, "schema": SIMPLE}).status_code == 200


def test_the_versions_of_the_others_are_told(broken: Backend) -> None:
    reply = broken.get("/versions")

    assert reply.status_code == 200
    assert [name.partition("@")[0] for name in reply.json["versions"]] == ["good"]


def test_health_names_it_and_sees_the_rest(broken: Backend) -> None:
    health = broken.app.extensions["health"]
    health.check()

    assert health.report["redis"]["ok"]
    assert "annotune:main:4:live" in health.report["redis"]["detail"]
    assert health.report["model_servers"]["ollama"]["ok"]


def test_a_pointer_that_another_version_wrote_can_be_moved(make_backend: MakeBackend) -> None:
    store = make_backend(model=FakeModel()).store
    store._redis.set(store.keys.of(BAD, "live"), json.dumps(NEWER))
    first = store.live.get(BAD)
    assert first

    assert store.live.swap(BAD, first, first.model_copy(update={"model": "next"}))
    assert json.loads(store._redis.lindex(store.keys.of(BAD, "past"), 0)) == NEWER

    assert store.live.swap_back(BAD, first.model_copy(update={"model": "next"}), first)
    assert store.live.get(BAD) == first


@pytest.mark.parametrize(("name", "method"), [("changes", "count"), ("looked", "synced")], ids=["changes", "looked"])
def test_a_counter_that_is_none_is_told_as_such(backend: Backend, name: str, method: str) -> None:
    backend.store._redis.set(backend.store.keys.of(BAD, name), "x")

    with pytest.raises(RecordUnreadable, match=f"annotune:main:4:{name}"):
        getattr(backend.store.changes, method)(BAD)


def test_a_parameter_that_is_none_is_refused_at_the_door(backend: Backend) -> None:
    reply = backend.send("/setup", {"project": GOOD, "schema": SIMPLE, "extra_params": {"temprature": 1}})

    assert reply.status_code == 400
    assert "temprature" in str(reply.json)


def test_a_parameter_that_another_version_kept_is_ignored(backend: Backend) -> None:
    kept = {"temperature": 0.5, "top_p": 0.9}
    backend.store._redis.set(backend.store.keys.of(GOOD, "parameters"), json.dumps(kept))

    assert predict(backend, GOOD).status_code == 200
    assert backend.model.requests[-1].temperature == 0.5
