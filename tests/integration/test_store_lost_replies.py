"""A command whose answer was lost is sent again, and does no harm."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from lossy_proxy import LossyProxy

from annotune.models import ModelRef
from annotune.prompt import ProjectPrompt
from annotune.runs import TrainingRequest, TrainingRun
from annotune.store.store import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LLAMA, GPT, PHI = (ModelRef(server="ollama", model=name) for name in ("llama3", "gpt", "phi"))
WANTED = TrainingRequest(requested_by="a test", at=NOON)


@pytest.fixture
def proxy(redis_url: str) -> Iterator[LossyProxy]:
    with LossyProxy(redis_url) as made:
        yield made


@pytest.fixture(params=["web", "job"])
def store(request: pytest.FixtureRequest, proxy: LossyProxy) -> Iterator[Store]:
    """Of either patience, by way of the proxy."""
    made = Store.connect(proxy.url, patience=request.param)
    yield made
    made.close()


def prompt(text: str) -> ProjectPrompt:
    return ProjectPrompt(text=text, source="command", at=NOON)


def test_a_swap_that_went_through_is_told_as_such(store: Store, proxy: LossyProxy) -> None:
    store.live.swap(1, None, LLAMA)
    proxy.lose(b"EVAL")

    assert store.live.swap(1, LLAMA, GPT)

    assert proxy.lost == 1
    assert (store.live.get(1), store.live.past(1)) == (GPT, [LLAMA])


def test_the_same_swap_is_no_repetition_of_an_earlier_one(store: Store) -> None:
    for expected, new in ((None, LLAMA), (LLAMA, GPT), (GPT, LLAMA), (LLAMA, GPT)):
        assert store.live.swap(1, expected, new)

    assert not store.live.swap(1, LLAMA, GPT)
    assert store.live.past(1) == [LLAMA, GPT, LLAMA]


def test_a_swap_back_that_went_through_is_told_as_such_and_goes_one_step(store: Store, proxy: LossyProxy) -> None:
    for expected, new in ((None, LLAMA), (LLAMA, GPT), (GPT, PHI)):
        store.live.swap(1, expected, new)
    proxy.lose(b"EVAL")

    assert store.live.swap_back(1, PHI, GPT)

    assert proxy.lost == 1
    assert (store.live.get(1), store.live.past(1)) == (GPT, [LLAMA])


def test_a_prompt_is_one_version(store: Store, proxy: LossyProxy) -> None:
    store.prompts.add(1, prompt("one"))
    proxy.lose(b"two")

    store.prompts.add(1, prompt("two"))

    assert proxy.lost == 1
    assert [(kept.number, kept.text) for kept in store.prompts.versions(1)] == [(1, "one"), (2, "two")]
    assert (store.prompts.used(1) or prompt("")).text == "two"


def test_a_run_is_listed_once(store: Store, proxy: LossyProxy) -> None:
    run = TrainingRun(id="r", project=1, number=1, state="failed", started_at=NOON)
    proxy.lose(b"LPUSH")

    store.runs.save(run)

    assert proxy.lost == 1
    assert store.runs.all(1) == [run]


def test_who_asked_for_a_training_is_told_so(store: Store, proxy: LossyProxy) -> None:
    proxy.lose(b"a test")

    assert store.training.request(1, WANTED)

    assert proxy.lost == 1
    assert not store.training.request(1, WANTED.model_copy(update={"requested_by": "another"}))


def test_who_took_a_lease_is_told_so(store: Store, proxy: LossyProxy) -> None:
    proxy.lose(b"mine")

    assert store.leases.take(1, "training", "mine", 60)

    assert proxy.lost == 1
    assert not store.leases.take(1, "training", "another's", 60)


def test_a_first_change_is_told_to_be_queued(store: Store, proxy: LossyProxy) -> None:
    proxy.lose(b"queued")

    assert store.changes.note(1)

    assert proxy.lost == 1
    assert not store.changes.note(1)
