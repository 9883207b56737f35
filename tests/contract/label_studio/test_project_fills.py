"""The controls that a project's model fills, as its options say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_model import Backend, MakeBackend, region, task

from annotune.project_options import ProjectOptions
from embedded.redis import RedisServer

CONFIG = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<TextArea name="response" toName="chat" smart="false"/><Rating name="rating" toName="chat"/>
<Choices name="faults" toName="chat" choice="multiple"><Choice value="wrong"/><Choice value="unsafe"/></Choices>
<Choices name="reference_faults" toName="chat"><Choice value="it lacks context"/></Choices></View>"""
SETUP = {"project": 4, "schema": CONFIG}


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def backend(make_backend: MakeBackend, own_redis: RedisServer) -> Backend:
    made = make_backend(url=own_redis.url, default_prompt="Answer briefly", answer_controls="rating")
    made.store.options.set(4, ProjectOptions(template="medchat", fills=("response",)))
    return made


def filled(reply: Any) -> set[str]:
    return {found["from_name"] for result in reply.json["results"] for found in result["result"]} - {"prompt"}


def test_a_batch_and_a_person_get_the_named_control_alone(backend: Backend) -> None:
    rating = {"id": "r", "from_name": "rating", "to_name": "chat", "type": "rating", "value": {"rating": 2}}

    assert filled(backend.predict(task(), config=CONFIG)) == {"response"}
    assert filled(backend.predict(task(), editor=[region("prompt", "Why?"), rating], config=CONFIG)) == {"response"}
    assert [request.schema for request in backend.model.requests] == [None, None]
    assert "unsafe" not in repr(backend.model.requests)


def test_another_project_is_filled_as_the_settings_say(backend: Backend) -> None:
    backend.model.say = lambda _request: '{"rating": 3}'
    body = {"tasks": [task()], "project": "5.17", "label_config": CONFIG, "params": {"context": None}}

    assert filled(backend.send("/predict", body)) == {"rating"}


def test_the_options_hold_while_redis_is_away(backend: Backend, own_redis: RedisServer) -> None:
    backend.send("/setup", SETUP)
    own_redis.stop()

    assert filled(backend.predict(task(), config=CONFIG)) == {"response"}


def test_while_the_options_are_unknown_nothing_is_filled(
    make_backend: MakeBackend, backend: Backend, own_redis: RedisServer
) -> None:
    own_redis.stop()
    fresh = make_backend(url=own_redis.url, default_prompt="Answer briefly")

    assert fresh.predict(task(), config=CONFIG).status_code == 503
    assert fresh.model.requests == []


@pytest.mark.parametrize(
    ("fills", "reason"),
    [
        (("reply",), "the model is to fill 'reply'"),
        (("response", "prompt"), "the model is to fill 'prompt'"),
        ((), "people alone fill this project"),
    ],
)
def test_a_config_without_the_named_controls_is_refused(backend: Backend, fills: tuple[str, ...], reason: str) -> None:
    backend.store.options.set(4, ProjectOptions(fills=fills))

    for answer in (backend.predict(task(), config=CONFIG), backend.send("/setup", SETUP)):
        assert answer.status_code == 400
        assert reason in answer.json["detail" if "detail" in answer.json else "error"]
    assert backend.model.requests == []
