"""What comes back into an emptied Redis, and what was put there meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest

from annotune.errors import RecordUnreadable
from annotune.models import ModelRef
from annotune.project_options import ProjectOptions
from annotune.prompt import ProjectPrompt
from annotune.store.backup import ProjectState
from annotune.store.store import Store

AT = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C, D = (ModelRef(server="ollama", model=name) for name in "abcd")


def live(store: Store, *refs: ModelRef) -> None:
    for ref in refs:
        assert store.live.swap(4, store.live.get(4), ref)


def submit(store: Store, *texts: str, source: str = "annotation 7") -> None:
    for text in texts:
        at = AT + timedelta(minutes=len(store.prompts.versions(4)), seconds=len(text))
        store.prompts.add(4, ProjectPrompt(text=text, source=source, at=at))


def kept(store: Store) -> ProjectState:
    return store.backup.read(4)[1]


def emptied(store: Store) -> ProjectState:
    """Empty Redis; what it knew of the project."""
    before = kept(store)
    store._redis.flushall()
    return before


def prompts(store: Store) -> list[tuple[int, str]]:
    return [(version.number, version.text) for version in store.prompts.versions(4)]


def test_all_comes_back_and_again_changes_nothing(store: Store) -> None:
    live(store, A, B, C)
    submit(store, "one", "two", "three")
    store.prompts.set_system(4, "Be kind.")
    store.options.set(4, ProjectOptions(template="medchat", fills=("response",)))
    store.prompts.pin(4, store.prompts.find(4, "2").model_copy(update={"system": "Be kind."}))
    before = emptied(store)

    assert store.backup.restore(4, before, emptied=True)
    once = kept(store)
    assert not store.backup.restore(4, before, emptied=True)

    assert (once, kept(store), store.projects.all()) == (before, before, [4])
    submit(store, "four")
    assert prompts(store)[-1] == (4, "four")


def test_a_model_that_was_chosen_meanwhile_stays_and_the_others_go_below_it(store: Store) -> None:
    live(store, A, B)
    before = emptied(store)
    live(store, C, D)

    for _ in range(2):
        assert not store.backup.restore(4, before, emptied=True)

    assert (store.live.get(4), store.live.past(4)) == (D, [C, B, A])


def test_prompts_that_came_meanwhile_get_the_next_numbers_and_are_used(store: Store) -> None:
    submit(store, "one", "two")
    before = emptied(store)
    submit(store, "new", "newer")

    for _ in range(2):
        store.backup.restore(4, before, emptied=True)

    assert prompts(store) == [(1, "one"), (2, "two"), (3, "new"), (4, "newer")]
    assert store.prompts.used(4) == store.prompts.find(4, "4")
    assert store.prompts.pinned(4) is None


@pytest.mark.parametrize(("source", "used", "pinned"), [("annotation 8", "one", 1), ("command", "new", None)])
def test_a_pin_holds_against_what_was_submitted_meanwhile_but_not_against_a_command(
    store: Store, source: str, used: str, pinned: int | None
) -> None:
    submit(store, "one", "two")
    store.prompts.pin(4, store.prompts.find(4, "1"))
    before = emptied(store)
    submit(store, "new", source=source)

    store.backup.restore(4, before, emptied=True)

    assert (store.prompts.used(4).text, store.prompts.pinned(4)) == (used, pinned)


def test_a_pin_that_was_set_meanwhile_follows_its_prompt(store: Store) -> None:
    submit(store, "one", "two")
    before = emptied(store)
    submit(store, "new", "newer")
    store.prompts.pin(4, store.prompts.find(4, "1"))

    store.backup.restore(4, before, emptied=True)

    assert (store.prompts.used(4).text, store.prompts.pinned(4)) == ("new", 3)


def test_a_redis_that_was_not_emptied_gets_only_what_is_not_there(store: Store) -> None:
    live(store, A, B)
    submit(store, "one", "two")
    older = kept(store)
    store.live.swap_back(4, B, A)
    submit(store, "three")

    store.backup.restore(4, older, emptied=False)
    assert (store.live.get(4), store.live.past(4), len(prompts(store))) == (A, [], 3)

    store._redis.delete(store.keys.of(4, "live"))
    assert store.backup.restore(4, older, emptied=False)
    assert (store.live.get(4), store.live.past(4), len(prompts(store))) == (B, [A], 3)


def test_the_mark_is_set_once_and_goes_with_all_else(store: Store) -> None:
    assert [store.backup.claim(mark) for mark in "ab"] == ["a", "a"]
    assert store.backup.read(4) == ("a", ProjectState())
    store._redis.flushall()
    assert store.backup.mark() == ""


def test_deployments_have_marks_of_their_own(store: Store, redis_url: str) -> None:
    store.backup.claim("a")

    assert Store.connect(redis_url, deployment="other").backup.mark() == ""


@pytest.mark.parametrize("name", ["live", "prompt", "prompts", "past"])
def test_a_record_that_cannot_be_read_is_told(store: Store, name: str) -> None:
    live(store, A, B)
    key = store.keys.of(4, name)
    store._redis.delete(key)
    store._redis.hset(key, "another", "type")

    with pytest.raises(RecordUnreadable):
        store.backup.read(4)
