"""Each check by itself: what works, and what to do about what does not."""

from contextlib import closing

import pytest
from contract.servers.vendor import Vendor, json_reply
from doubles import FakeOllama

from annotune.checks import (
    check_label_studio,
    check_model,
    check_redis,
    check_server,
    check_worker,
    require_model,
)
from annotune.deadline import Deadline
from annotune.errors import ModelServerError, NotFound
from annotune.models import ModelRef
from annotune.servers.pool import Servers
from annotune.serving import ServingResolver
from annotune.settings import Settings
from annotune.store.store import Store

SOON_S = 5
NOWHERE = "http://127.0.0.1:1"
SMALL, LOST = ModelRef(server="ollama", model="small"), ModelRef(server="ollama", model="lost")


@pytest.fixture
def ollama(ollama: FakeOllama) -> FakeOllama:
    ollama.models["small"] = ""
    return ollama


def settings_of(url: str, model: str = "small") -> Settings:
    return Settings(openai_provider="ollama", openai_model=model, ollama_endpoint=url)


def test_redis_answers_or_says_what_to_do(store: Store) -> None:
    with closing(Store.connect("redis://127.0.0.1:1/0")) as away:
        there, absent = check_redis(store), check_redis(away)

    assert (there.part, there.ok) == ("Redis", True)
    assert (absent.ok, "Redis is not reachable: start it" in absent.detail) == (False, True)


def test_a_model_server_answers_or_says_what_to_do(ollama: FakeOllama) -> None:
    with closing(Servers(settings_of(ollama.url))) as servers, closing(Servers(settings_of(NOWHERE))) as away:
        there = check_server(servers.get, "ollama", Deadline.after(SOON_S))
        absent = check_server(away.get, "ollama", Deadline.after(SOON_S))
        unset = check_server(servers.get, "openai", Deadline.after(SOON_S))

    assert (there.part, there.ok, there.detail) == ("ollama", True, f"answers at {ollama.url}")
    assert (absent.ok, "OLLAMA_ENDPOINT" in absent.detail) == (False, True)
    assert (unset.part, unset.ok, "OPENAI_API_KEY" in unset.detail) == ("openai", False, True)


def test_a_model_is_asked_for_an_answer(ollama: FakeOllama, store: Store) -> None:
    settings = settings_of(ollama.url)

    assert check_model(settings, ServingResolver(settings, store).resolve(4)).detail == "ollama:small answers"


def test_an_api_that_costs_money_is_asked_for_no_answer(store: Store) -> None:
    with Vendor([json_reply({"object": "list", "data": []})]) as api:
        settings = Settings(openai_base_url=f"{api.url}/v1", openai_api_key="key")
        check = check_model(settings, ServingResolver(settings, store).resolve(4))

    assert (check.ok, check.detail) == (True, "openai:gpt-3.5-turbo: its server answers")
    assert api.paths == ["/v1/models"]


def test_a_model_that_is_required_is_on_its_server(ollama: FakeOllama) -> None:
    settings = settings_of(ollama.url)

    require_model(settings, SMALL, Deadline.after(SOON_S))
    with pytest.raises(NotFound, match=r"has no model 'lost': run 'ollama pull lost', or choose another"):
        require_model(settings, LOST, Deadline.after(SOON_S))
    with pytest.raises(ModelServerError, match="is not reachable"):
        require_model(settings_of(NOWHERE), SMALL, Deadline.after(SOON_S))


def test_label_studio_needs_an_address_and_a_key_and_answers() -> None:
    with Vendor([json_reply({"status": "UP"})]) as studio:
        there = check_label_studio(
            Settings(label_studio_url=studio.url, label_studio_api_key="key"), Deadline.after(SOON_S)
        )
    without_key = check_label_studio(Settings(label_studio_url=NOWHERE), Deadline.after(SOON_S))
    away = check_label_studio(Settings(label_studio_url=NOWHERE, label_studio_api_key="key"), Deadline.after(SOON_S))

    assert (there.part, there.ok, there.detail) == ("Label Studio", True, "answers, and a key is set")
    assert all("authorization" not in {name.lower() for name in asked.headers} for asked in studio.asked)
    assert (without_key.ok, without_key.detail.startswith("LABEL_STUDIO_API_KEY not set")) == (False, True)
    assert (away.ok, "fix LABEL_STUDIO_URL" in away.detail) == (False, True)


def test_a_worker_is_alive_or_to_be_started(store: Store) -> None:
    absent = check_worker(store)
    store.workers.heartbeat(60)
    alive = check_worker(store)

    assert (absent.ok, "run 'annotune worker'" in absent.detail) == (False, True)
    assert (alive.part, alive.ok, alive.detail) == ("worker", True, "alive")
