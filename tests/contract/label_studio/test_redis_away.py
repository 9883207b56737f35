"""While Redis is away, a process answers with what it has read before, and no answer is lost."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from fake_model import SIMPLE, UNPROTECTED, Backend, FakeModel, MakeBackend, region, task, texts

from annotune.answer import Answer
from annotune.models import ModelRef
from embedded.redis import RedisServer

SETUP = {"project": 4, "schema": SIMPLE}
PROMPT = region("prompt", "Explain")


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def known(make_backend: MakeBackend, own_redis: RedisServer) -> Backend:
    """A backend that has read project 4's live model before Redis went away."""
    backend = make_backend(url=own_redis.url, default_prompt="Answer briefly")
    backend.store.live.swap(4, None, ModelRef(server="ollama", model="tuned"))
    assert backend.send("/setup", SETUP).json["model_version"].startswith("tuned@")
    own_redis.stop()
    return backend


def test_the_last_known_pointer_answers_setup_and_predict(known: Backend) -> None:
    assert known.send("/setup", SETUP).json["model_version"].startswith("tuned@")
    assert texts(known.predict(task()))[0]["response"] == ["answer 1"]
    assert texts(known.predict(task(), editor=[PROMPT])) == [{"response": ["answer 2"]}]
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
    known.app.extensions["health"].check()
    report = known.get("/health").json

    assert report["redis"]["ok"] is False
    assert "REDIS_URL" in report["redis"]["detail"]


def test_answers_given_meanwhile_are_written_down_when_redis_is_back(known: Backend, own_redis: RedisServer) -> None:
    known.predict(task(), editor=[PROMPT])
    own_redis.start()
    known.app.extensions["health"].check()

    assert [answer.text for answer in known.store.answers.known(4, 1)] == ["answer 1"]


def test_an_answer_given_meanwhile_protects_its_correction(known: Backend) -> None:
    known.predict(task(), editor=[PROMPT], config=UNPROTECTED)
    edited = known.predict(task(), editor=[PROMPT, region("response", "a person's words")], config=UNPROTECTED)

    assert texts(edited) == [{}]


def test_whose_text_it_is_takes_no_redis_where_an_edit_asks_nothing(known: Backend) -> None:
    given = region("response", "given", origin="prediction")

    assert texts(known.predict(task(), editor=[PROMPT, given])) == [{"response": ["answer 1"]}]
    assert texts(known.predict(task(), editor=[PROMPT, region("response", "a person's")])) == [{}]


SPANS = """<View><Labels name="label" toName="chat"><Label value="Drug"/></Labels><Text name="chat" value="$question"/>
<TextArea name="prompt" toName="chat"/></View>"""


def test_spans_that_are_not_known_to_be_given_are_given_again(
    make_backend: MakeBackend, own_redis: RedisServer
) -> None:
    """A person may get a span twice, and loses none."""
    said = '{"label": [{"quote": "Why", "label": "Drug"}]}'
    backend = make_backend(url=own_redis.url, model=FakeModel(say=lambda _: said))

    def spans() -> int:
        reply = backend.predict(task(), editor=[PROMPT], config=SPANS)
        return len(reply.json["results"][0]["result"])

    assert [spans(), spans()] == [1, 0]
    own_redis.stop()
    assert [spans(), spans()] == [1, 0]


def test_a_text_that_may_be_a_correction_is_rather_not_answered(known: Backend) -> None:
    reply = known.predict(task(), editor=[PROMPT, region("response", "whose words?")], config=UNPROTECTED)

    assert reply.status_code == 503
    assert known.model.requests == []


def test_redis_back_under_the_same_address_is_used_at_once(known: Backend, own_redis: RedisServer) -> None:
    own_redis.start()

    assert known.replay("webhook-ANNOTATION_CREATED").json["queued"] is True
    assert known.store.live.get(4).model == "tuned"


def test_a_backend_that_starts_without_redis_starts(make_backend: MakeBackend, own_redis: RedisServer) -> None:
    own_redis.stop()
    backend = make_backend(url=own_redis.url, model=FakeModel())

    assert backend.get("/health").status_code == 200


def ours(task: int) -> Answer:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Answer(project=4, task=task, prompt="Explain", prompt_sha="s", text="so", model_version="m", at=at)


def restarted(backend: Backend) -> None:
    """End a backend's process, as a stop or a kill does: its file in the spool is unlocked then."""
    backend.app.extensions["health"]._services.answer_log.spool.close()


@pytest.mark.parametrize("ended", [False, True], ids=["while it lives", "after it ended"])
def test_what_one_process_answered_meanwhile_protects_its_correction_at_another(
    make_backend: MakeBackend, own_redis: RedisServer, ended: bool
) -> None:
    one, other = (make_backend(url=own_redis.url, default_prompt="Answer") for _ in range(2))
    for each in (one, other):
        each.send("/setup", SETUP | {"schema": UNPROTECTED})
    own_redis.stop()
    one.predict(task(), editor=[PROMPT], config=UNPROTECTED)
    own_redis.start()
    if ended:
        restarted(one)

    edited = other.predict(task(), editor=[PROMPT, region("response", "a person's words")], config=UNPROTECTED)

    assert texts(edited) == [{}]
    assert other.model.requests == []


def test_what_a_process_left_is_written_down_by_another(make_backend: MakeBackend, own_redis: RedisServer) -> None:
    one, other = (make_backend(url=own_redis.url, default_prompt="Answer") for _ in range(2))
    for each in (one, other):
        each.send("/setup", SETUP)
    own_redis.stop()
    one.predict(task(), editor=[PROMPT])
    restarted(one)
    own_redis.start()

    other.app.extensions["health"].check()

    assert [answer.text for answer in other.store.answers.known(4, 1)] == ["answer 1"]
    assert other.app.extensions["health"]._services.answer_log.spool.count() == 0


def test_after_a_restart_of_redis_no_text_that_may_be_a_persons_is_replaced(
    make_backend: MakeBackend, own_redis: RedisServer
) -> None:
    """Redis may have lost the answer that the person corrects."""
    backend = make_backend(url=own_redis.url, default_prompt="Answer")
    backend.app.extensions["health"].check()
    unknown = [PROMPT, region("response", "whose words?")]
    assert texts(backend.predict(task(2), editor=unknown, config=UNPROTECTED)) == [{}]
    own_redis.restart()

    reply = make_backend(url=own_redis.url).predict(task(1), editor=unknown, config=UNPROTECTED)

    assert reply.status_code == 503
    assert "stays" in reply.json["error"]


def emptied(server: RedisServer) -> None:
    """Start Redis again without its data."""
    server.stop()
    for kept in server.folder.glob("appendonly*"):
        shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
    server.start()


def test_what_a_killed_redis_has_lost_is_written_down_once_more(
    make_backend: MakeBackend, own_redis: RedisServer
) -> None:
    backend = make_backend(url=own_redis.url, default_prompt="Answer")
    backend.app.extensions["health"].check()
    backend.predict(task(), editor=[PROMPT])
    emptied(own_redis)
    assert backend.store.answers.known(4, 1) == []

    backend.app.extensions["health"].check()

    assert [answer.text for answer in backend.store.answers.known(4, 1)] == ["answer 1"]


@pytest.mark.parametrize("restarts", [True, False], ids=["restarted", "flushed"])
def test_after_redis_was_emptied_no_text_that_may_be_a_persons_is_replaced(
    make_backend: MakeBackend, own_redis: RedisServer, restarts: bool
) -> None:
    backend = make_backend(url=own_redis.url, default_prompt="Answer")
    backend.app.extensions["health"].check()
    backend.predict(task(), editor=[PROMPT], config=UNPROTECTED)
    with redis.Redis.from_url(own_redis.url) as client:
        emptied(own_redis) if restarts else client.flushall()

    edited = [PROMPT, region("response", "a person's words")]
    reply = backend.predict(task(), editor=edited, config=UNPROTECTED)
    backend.app.extensions["health"].check()
    again = backend.predict(task(2), editor=edited, config=UNPROTECTED)

    assert (reply.status_code, again.status_code) == (503, 503)
    assert "stays" in reply.json["error"]


def test_a_text_of_a_task_whose_answer_had_no_room_is_never_replaced(
    make_backend: MakeBackend, own_redis: RedisServer
) -> None:
    one, other = (make_backend(url=own_redis.url, default_prompt="Answer") for _ in range(2))
    log = one.app.extensions["health"]._services.answer_log
    log.spool._max_bytes = 0
    own_redis.stop()
    log.add([ours(task=1)])
    own_redis.start()
    log.recover()

    editor = [PROMPT, region("response", "whose words?")]
    lost = other.predict(task(1), editor=editor, config=UNPROTECTED)
    empty = other.predict(task(1), editor=[PROMPT], config=UNPROTECTED)

    assert lost.status_code == 503
    assert "no room" in lost.json["error"]
    assert texts(empty) == [{"response": ["answer 1"]}]
    assert [answer.text for answer in other.store.answers.known(4, 1)] == ["answer 1"]


def test_a_redis_that_is_full_is_told_and_loses_no_answer(make_backend: MakeBackend, own_redis: RedisServer) -> None:
    backend = make_backend(url=own_redis.url, default_prompt="Answer")
    backend.send("/setup", SETUP)
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxmemory", 1)
        replies = [backend.predict(task(number)) for number in (1, 2)]
        health = backend.app.extensions["health"]
        health.check()
        told = backend.get("/health").json["redis"]
        event = backend.replay("webhook-ANNOTATION_CREATED")
        training = backend.replay("webhook-START_TRAINING")
        client.config_set("maxmemory", 0)
        health.check()

    assert [reply.status_code for reply in replies] == [200, 200]
    assert told["ok"] is False
    assert "Redis is full" in told["detail"]
    assert "2 answers wait" in told["detail"]
    assert (event.status_code, event.json["queued"]) == (200, False)
    assert "Redis is full" in event.json["message"]
    assert training.status_code == 503
    assert "Redis is full" in training.json["error"]
    assert backend.get("/health").json["redis"] == {"ok": True, "detail": "answers"}
    assert [len(backend.store.answers.known(4, number)) for number in (1, 2)] == [1, 1]


def test_a_read_only_redis_is_told(make_backend: MakeBackend, own_redis: RedisServer) -> None:
    backend = make_backend(url=own_redis.url)
    with redis.Redis.from_url(own_redis.url) as client:
        client.replicaof("127.0.0.1", 1)
        backend.app.extensions["health"].check()
        client.replicaof("NO", "ONE")

    assert "read-only" in backend.get("/health").json["redis"]["detail"]
    assert backend.get("/health").json["redis"]["ok"] is False
