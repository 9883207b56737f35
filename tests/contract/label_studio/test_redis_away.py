"""Without Redis, what this process knew still answers, and nothing that was said is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_model import SIMPLE, UNPROTECTED, Backend, FakeModel, MakeBackend, region, task, texts

from annotune.model import ModelRef
from embedded.redis import RedisServer

SETUP = {"project": 4, "schema": SIMPLE}
PROMPT = region("prompt", "Explain")


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def known(make_backend: MakeBackend, own_redis: RedisServer) -> Backend:
    """A backend that has read project 4's pointer, and whose Redis is away since."""
    backend = make_backend(url=own_redis.url, default_prompt="Answer briefly")
    backend.store.swap_live(4, None, ModelRef(server="ollama", model="tuned"))
    assert backend.send("/setup", SETUP).json["model_version"].startswith("tuned@")
    own_redis.stop()
    return backend


def test_the_last_known_pointer_answers_setup_and_predict(known: Backend) -> None:
    assert known.send("/setup", SETUP).json["model_version"].startswith("tuned@")
    assert texts(known.predict(task()))[0]["response"] == ["answer 1"]
    assert texts(known.predict(task(), screen=[PROMPT])) == [{"response": ["answer 2"]}]
    assert {request.model for request in known.model.requests} == {"tuned"}


def test_a_project_that_was_never_read_gets_503_and_the_fix(known: Backend) -> None:
    for path, body in (
        ("/setup", SETUP | {"project": 5}),
        ("/predict", {"tasks": [], "project": 5, "label_config": SIMPLE}),
    ):
        reply = known.send(path, body)

        assert reply.status_code == 503
        assert "REDIS_URL" in reply.status


def test_versions_names_what_is_known(known: Backend) -> None:
    (version,) = known.get("/versions").json["versions"]

    assert version.startswith("tuned@")


def test_versions_is_503_where_nothing_is_known(make_backend: MakeBackend, own_redis: RedisServer) -> None:
    backend = make_backend(url=own_redis.url)
    own_redis.stop()

    assert backend.get("/versions").status_code == 503


def test_an_event_is_acknowledged_and_says_that_it_was_not_queued(known: Backend) -> None:
    reply = known.replay("webhook-ANNOTATION_CREATED")

    assert (reply.status_code, reply.json["queued"]) == (200, False)


def test_a_training_that_cannot_be_queued_is_503(known: Backend) -> None:
    assert known.replay("webhook-START_TRAINING").status_code == 503


def test_health_is_200_and_tells_that_redis_is_away(known: Backend) -> None:
    known.app.extensions["health"].look()
    report = known.get("/health").json

    assert report["redis"]["ok"] is False
    assert "REDIS_URL" in report["redis"]["detail"]


def test_answers_given_meanwhile_are_written_down_when_redis_is_back(known: Backend, own_redis: RedisServer) -> None:
    known.predict(task(), screen=[PROMPT])
    own_redis.start()
    known.app.extensions["health"].look()

    assert [answer.text for answer in known.store.answers(4, 1)] == ["answer 1"]


def test_an_answer_given_meanwhile_protects_its_correction(known: Backend) -> None:
    known.predict(task(), screen=[PROMPT], config=UNPROTECTED)
    edited = known.predict(task(), screen=[PROMPT, region("response", "a person's words")], config=UNPROTECTED)

    assert texts(edited) == [{}]


def test_a_text_that_may_be_a_correction_is_rather_not_answered(known: Backend) -> None:
    reply = known.predict(task(), screen=[PROMPT, region("response", "whose words?")], config=UNPROTECTED)

    assert reply.status_code == 503
    assert known.model.requests == []


def test_redis_back_under_the_same_address_is_used_at_once(known: Backend, own_redis: RedisServer) -> None:
    own_redis.start()

    assert known.replay("webhook-ANNOTATION_CREATED").json["queued"] is True
    assert known.store.live(4).model == "tuned"


def test_a_backend_that_starts_without_redis_starts(make_backend: MakeBackend, own_redis: RedisServer) -> None:
    own_redis.stop()
    backend = make_backend(url=own_redis.url, model=FakeModel())

    assert backend.get("/health").status_code == 200
