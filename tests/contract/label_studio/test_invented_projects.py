"""A client may invent projects: neither Redis nor a process's memory grows without limit."""

import pytest
from fake_model import SIMPLE, Backend

from annotune.serving import ServingResolver
from annotune.settings import Settings
from annotune.store.projects import TRANSIENT
from annotune.store.store import Store

MOST = 10_000
REMEMBERED = 1_000
NEW, KNOWN = 77_777, 5


@pytest.fixture
def full(backend: Backend) -> Backend:
    """A backend that knows the largest allowed number of projects."""
    backend.store._redis.sadd(backend.store.keys.projects, KNOWN, *range(100_000, 100_000 + MOST - 1))
    return backend


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/webhook", {"action": "ANNOTATION_CREATED", "project": {"id": NEW}}),
        ("/webhook", {"action": "START_TRAINING", "project": {"id": NEW}}),
        ("/setup", {"project": NEW, "schema": SIMPLE, "extra_params": {"temperature": 0.5}}),
    ],
    ids=["event", "training", "setup"],
)
def test_one_project_too_many_is_refused_and_leaves_nothing(full: Backend, path: str, body: dict[str, object]) -> None:
    reply = full.send(path, body)

    assert reply.status_code == 400
    assert str(MOST) in str(reply.json)
    assert full.store._redis.keys(full.store.keys.of(NEW, "*")) == []
    assert len(full.store.projects.all()) == MOST
    assert full.jobs.lengths() == {"changes": 0, "training": 0}


def test_a_project_that_is_known_is_served_all_the_same(full: Backend) -> None:
    assert full.send("/webhook", {"action": "ANNOTATION_CREATED", "project": {"id": KNOWN}}).json["queued"]
    assert full.send("/webhook", {"action": "START_TRAINING", "project": {"id": KNOWN}}).json["queued"]
    assert full.send("/setup", {"project": KNOWN, "schema": SIMPLE}).status_code == 200


def test_a_process_remembers_the_projects_that_were_asked_for_last(redis_url: str) -> None:
    store = Store.connect(redis_url)
    live = ServingResolver(Settings(openai_provider="ollama", openai_model="base"), store)
    for project in range(REMEMBERED + 10):
        live.resolve(project)
        live.resolve(KNOWN)

    assert len(live.cached()) == REMEMBERED
    assert {KNOWN, REMEMBERED + 9} <= set(live.cached())
    store.close()


def test_a_forgotten_project_that_made_nothing_leaves_no_key(backend: Backend) -> None:
    backend.send("/setup", {"project": NEW, "schema": SIMPLE, "extra_params": {"temperature": 0.5}})
    backend.send("/webhook", {"action": "ANNOTATION_CREATED", "project": {"id": NEW}})
    backend.send("/webhook", {"action": "START_TRAINING", "project": {"id": NEW}})
    store = backend.store
    store.changes.set_synced(NEW, 1)
    left = {key.removeprefix(store.keys.of(NEW, "")) for key in store._redis.keys(store.keys.of(NEW, "*"))}
    assert left <= set(TRANSIENT)
    assert {"changes", "training", "parameters"} <= left

    store.projects.forget(NEW)

    assert store._redis.keys(store.keys.of(NEW, "*")) == []
    assert store.projects.all() == []
