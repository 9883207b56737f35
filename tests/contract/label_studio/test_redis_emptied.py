"""If Redis has lost its data, the settings' model does not silently answer in place of a project's own."""

import pytest
from fake_model import SIMPLE, Backend, MakeBackend, region, task, texts

from annotune.models import ModelRef
from annotune.store.backup import ProjectState

SETUP = {"project": 4, "schema": SIMPLE}
TUNED = ModelRef(server="ollama", model="tuned")


@pytest.fixture
def emptied(make_backend: MakeBackend) -> Backend:
    """A backend that has read project 4, and the mark that a worker sets."""
    backend = make_backend(default_prompt="Answer briefly")
    backend.store.live.swap(4, None, TUNED)
    backend.store.backup.claim("mark")
    assert backend.send("/setup", SETUP).json["model_version"].startswith("tuned@")
    backend.store._redis.flushall()
    return backend


def test_setup_and_predict_are_503_and_say_why(emptied: Backend) -> None:
    for project in (4, 5):
        replies = (
            emptied.send("/setup", SETUP | {"project": project}),
            emptied.send("/predict", {"tasks": [task()], "project": project, "label_config": SIMPLE}),
        )
        for reply in replies:
            assert (reply.status_code, "Redis was emptied" in reply.status) == (503, True), reply.status
    assert emptied.model.requests == []


def test_health_tells_it(emptied: Backend) -> None:
    emptied.app.extensions["health"].check()

    redis = emptied.get("/health").json["redis"]

    assert (redis["ok"], "Redis was emptied" in redis["detail"]) == (False, True)


def test_what_the_worker_restored_answers(emptied: Backend) -> None:
    emptied.store.backup.restore(4, ProjectState(live=TUNED), emptied=True)
    emptied.store.backup.claim("mark")

    assert texts(emptied.predict(task(), editor=[region("prompt", "Explain")])) == [{"response": ["answer 1"]}]
    assert [request.model for request in emptied.model.requests] == ["tuned"]


def test_a_look_at_the_parts_is_enough_to_have_seen_the_mark(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Answer briefly")
    backend.store.backup.claim("mark")
    backend.app.extensions["health"].check()

    backend.store._redis.flushall()

    assert backend.send("/setup", SETUP).status_code == 503


def test_without_a_worker_there_is_no_mark_and_the_environments_model_answers(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Answer briefly")
    assert backend.send("/setup", SETUP).status_code == 200
    backend.store._redis.flushall()

    assert backend.send("/setup", SETUP).json["model_version"].startswith("base@")


def test_an_event_is_taken_all_the_same(emptied: Backend) -> None:
    assert emptied.replay("webhook-ANNOTATION_CREATED").json["queued"] is True
