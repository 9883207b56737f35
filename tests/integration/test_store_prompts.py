"""The versions of a project's prompt in Redis: kept, numbered, pinned and found."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from annotune.errors import NotFound, RequestInvalid
from annotune.prompt import ProjectPrompt
from annotune.store.prompts import MAX_VERSIONS
from annotune.store.store import Store

AT = datetime(2026, 1, 1, tzinfo=UTC)


def submitted(text: str, number: int = 1) -> ProjectPrompt:
    return ProjectPrompt(text=text, source=f"annotation {number}", at=AT + timedelta(minutes=number))


def used(store: Store) -> str:
    found = store.prompts.used(4)
    assert found is not None
    return found.text


def test_every_prompt_is_a_version_and_the_newest_is_used(store: Store) -> None:
    for number, text in enumerate(("one", "two", "three"), start=1):
        store.prompts.add(4, submitted(text, number))

    assert [(version.number, version.text) for version in store.prompts.versions(4)] == [
        (1, "one"),
        (2, "two"),
        (3, "three"),
    ]
    assert used(store) == "three"


def test_a_pinned_prompt_is_not_changed_by_a_submission_which_is_kept_all_the_same(store: Store) -> None:
    store.prompts.add(4, submitted("one"))
    store.prompts.pin(4, store.prompts.find(4, "v1"))
    store.prompts.add(4, submitted("two", 2))

    assert used(store) == "one"
    assert [version.text for version in store.prompts.versions(4)] == ["one", "two"]
    store.prompts.unpin(4)
    assert used(store) == "two"


def test_racing_prompts_have_numbers_of_their_own_and_the_last_one_is_used(redis_url: str) -> None:
    stores = [Store.connect(redis_url) for _ in range(8)]

    def add(place: int) -> None:
        for turn in range(20):
            stores[place].prompts.add(4, submitted(f"{place}-{turn}", turn))

    with ThreadPoolExecutor(len(stores)) as threads:
        list(threads.map(add, range(len(stores))))

    kept = stores[0].prompts.versions(4)
    assert [version.number for version in kept] == list(range(1, 161))
    assert stores[0].prompts.used(4) == kept[-1]


def test_what_an_older_deployment_kept_is_the_first_version(store: Store) -> None:
    store._redis.set(store.keys.of(4, "prompt"), submitted("old").model_dump_json())
    assert [(version.number, version.text) for version in store.prompts.versions(4)] == [(1, "old")]

    store.prompts.add(4, submitted("new", 2))
    assert [(version.number, version.text) for version in store.prompts.versions(4)] == [(1, "old"), (2, "new")]


def test_the_history_is_bounded_and_never_loses_what_is_used(store: Store) -> None:
    store.prompts.add(4, submitted("first"))
    store.prompts.pin(4, store.prompts.find(4, "1"))
    for number in range(MAX_VERSIONS + 5):
        store.prompts.add(4, submitted(f"text {number}", number))

    assert len(store.prompts.versions(4)) == MAX_VERSIONS
    assert used(store) == "first"


@pytest.mark.parametrize(
    ("name", "error"), [("9", NotFound), ("v9", NotFound), ("x", RequestInvalid), ("", RequestInvalid)]
)
def test_a_version_that_is_not_there_is_told(store: Store, name: str, error: type[Exception]) -> None:
    store.prompts.add(4, submitted("one"))
    with pytest.raises(error, match="version"):
        store.prompts.find(4, name)
