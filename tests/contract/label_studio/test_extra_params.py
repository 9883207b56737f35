"""`extra_params`: the parameters of a connection in Label Studio's model settings."""

import json

import pytest
from fake_model import SIMPLE, Backend, MakeBackend, region, task

from annotune.models import ModelRef


def set_up(backend: Backend, extra: object) -> dict:
    reply = backend.send("/setup", {"project": "4.17", "schema": SIMPLE, "extra_params": extra})
    return reply.json | {"status": reply.status_code}


GIVEN = {"temperature": 0.1, "num_responses": 2, "max_tokens": 50, "num_ctx": 1024, "thinking": True}


@pytest.mark.parametrize("extra", [GIVEN, json.dumps(GIVEN)])
def test_they_win_over_the_settings(backend: Backend, extra: object) -> None:
    set_up(backend, extra)
    backend.predict(task(), editor=[region("prompt", "Explain")])
    first, second = backend.model.requests

    assert first == second
    assert (first.temperature, first.max_tokens, first.num_ctx, first.think) == (0.1, 50, 1024, True)


@pytest.mark.parametrize("nothing", [None, "", {}, "null"])
def test_without_them_the_settings_hold_again(backend: Backend, nothing: object) -> None:
    set_up(backend, GIVEN)
    set_up(backend, nothing)
    backend.predict(task())

    assert backend.model.requests[0].temperature == 0.7


def test_they_hold_for_their_own_project(backend: Backend) -> None:
    set_up(backend, GIVEN)
    backend.send(
        "/predict",
        {"tasks": [task()], "project": 5, "label_config": SIMPLE, "params": {"context": None}},
    )

    assert backend.model.requests[0].temperature == 0.7


def test_a_model_of_the_allow_list_answers(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Go", allowed_models="ollama:other, openai:gpt")
    told = set_up(backend, {"provider": "ollama", "model": "other"})
    backend.predict(task())

    assert told["model_version"].startswith("other@")
    assert backend.model.requests[0].model == "other"


def test_limits_that_were_lowered_later_hold(make_backend: MakeBackend, caplog: pytest.LogCaptureFixture) -> None:
    before = make_backend(default_prompt="Go", allowed_models="openai:gpt-4o")
    given = {"provider": "openai", "model": "gpt-4o", "max_tokens": 1024, "num_ctx": 2048, "temperature": 0.1}
    assert set_up(before, given)["status"] == 200

    after = make_backend(default_prompt="Go", max_tokens=64, num_ctx=1024)
    for number in range(3):
        after.predict(task(number))

    asked = {(one.model, one.max_tokens, one.num_ctx, one.temperature) for one in after.model.requests}
    assert asked == {("base", 64, 1024, 0.1)}
    assert caplog.text.count("project 4: some of its connection's extra parameters are no longer allowed") == 1
    assert set_up(after, given)["status"] == 400


def test_a_promoted_model_wins_over_them(make_backend: MakeBackend) -> None:
    backend = make_backend(allowed_models="ollama:other")
    backend.store.live.swap(4, None, ModelRef(server="ollama", model="tuned"))

    assert set_up(backend, {"model": "other"})["model_version"] == "tuned"


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"api_key": "canary"}, "api_key"),
        ({"openai_api_key": "canary"}, "openai_api_key"),
        ({"base_url": "http://canary"}, "base_url"),
        ({"temperature": "canary"}, "temperature"),
        ({"temperature": 9}, "temperature"),
        ({"max_tokens": 10**9}, "MAX_TOKENS"),
        ({"num_ctx": 10**9}, "NUM_CTX"),
        ({"model": "other"}, "ALLOWED_MODELS"),
        ({"provider": "azure"}, "ALLOWED_MODELS"),
        ({"provider": "http://canary"}, "provider"),
    ],
)
def test_a_key_an_address_and_what_is_not_allowed_is_refused_by_name(backend: Backend, extra: dict, named: str) -> None:
    told = set_up(backend, extra)

    assert told["status"] == 400
    assert named in told["error"]
    assert "canary" not in told["error"]
    assert backend.store.extra_params.get(4) is None


def test_another_model_of_a_connection_queues_a_look(make_backend: MakeBackend) -> None:
    """So that Label Studio shows the scores of what answers."""
    backend = make_backend(default_prompt="Go", allowed_models="ollama:other")
    set_up(backend, None)
    assert backend.jobs.queued("changes") == []

    for _ in range(2):
        set_up(backend, {"provider": "ollama", "model": "other"})

    assert backend.jobs.queued("changes") == [4]
