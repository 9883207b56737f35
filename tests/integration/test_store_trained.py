"""What annotations held when they were tried and learnt, in a real Redis."""

import pytest

from annotune.errors import RecordUnreadable
from annotune.store.store import Store
from annotune.store.trained import UNKNOWN, count_changed, fill_unknown


def test_what_is_tried_replaces_what_was_and_what_is_learnt_adds_to_it(store: Store) -> None:
    for contents in ({1: "a", 2: "b"}, {2: "c"}):
        store.trained.set_tried(4, contents)
        store.trained.add_learnt(4, contents)

    assert store.trained.tried(4) == {2: "c"}
    assert store.trained.learnt(4) == {1: "a", 2: "c"}
    assert store.trained.tried(5) == store.trained.learnt(5) == {}


def test_the_ids_that_an_older_version_kept_are_tried(store: Store) -> None:
    store._redis.sadd(store.keys.of(4, "dataset"), 1, 2)
    assert store.trained.tried(4) == {1: UNKNOWN, 2: UNKNOWN}

    store.trained.set_tried(4, {3: "c"})
    assert store.trained.tried(4) == {3: "c"}


def test_a_key_of_another_kind_is_its_own_fault(store: Store) -> None:
    store._redis.set(store.keys.of(4, "tried"), "x")

    with pytest.raises(RecordUnreadable):
        store.trained.tried(4)


def test_what_holds_something_else_has_changed_and_what_is_gone_has_not() -> None:
    kept = fill_unknown({1: "a", 2: UNKNOWN, 3: UNKNOWN, 4: "d"}, {1: "A", 2: "B"})

    assert kept == {1: "a", 2: "B", 3: UNKNOWN, 4: "d"}
    assert count_changed({1: "A", 2: "B", 5: "E"}, kept) == 2
