"""The keys in a real Redis are those that keys.py describes, and each module of a store names its own."""

import re
from collections.abc import Iterator
from importlib import import_module

import pytest
import redis
from store_calls import CALLS, LLAMA, public_methods

from annotune.settings import Settings
from annotune.store import keys
from annotune.store.connection import open_store
from annotune.store.redis import connect_redis
from annotune.store.store import Store

OLD = "Versions up to 0.2 also wrote"
VARIABLES = {"D": "main", "P": "1", "T": "[0-9]+", "ID": "[0-9a-f]+", "NAME": "[a-z]+"}
# A deletion in between would hide a key that another call writes.
LAST = ("training.end", "changes.take_queued", "leases.release", "workers.leave", "prompts.unpin", "live.swap_back")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect_redis(redis_url, patience="web", decode=True) as made:
        yield made


def described() -> list[str]:
    """The patterns of keys.py, without those that only old versions wrote."""
    text = str(keys.__doc__)
    return re.findall(r"^    (annotune:D:\S+)", text.partition(OLD)[0], re.MULTILINE)


def matches(pattern: str, key: str) -> bool:
    parts = [VARIABLES.get(part, part) for part in pattern.split(":")]
    return re.fullmatch(":".join(parts), key) is not None


def test_every_method_is_called() -> None:
    assert set(CALLS) == public_methods(Store.connect("redis://127.0.0.1:1/0"))


def test_the_keys_in_redis_are_those_that_are_described(redis_url: str, client: redis.Redis) -> None:
    store, jobs = open_store(Settings(redis_url=redis_url))
    assert store.live.swap(1, None, LLAMA)
    seen: set[str] = set()

    for name in (*(name for name in CALLS if name not in LAST), *LAST):
        CALLS[name](store)
        seen |= set(map(str, client.keys("*")))
    jobs.changed(1)
    jobs.train(1)
    queues = {key for key in map(str, client.keys("*")) if key.startswith("rq:")}

    assert [key for key in seen if not any(matches(pattern, key) for pattern in described())] == []
    assert [pattern for pattern in described() if not any(matches(pattern, key) for key in seen)] == []
    assert {"rq:queue:annotune-main-changes", "rq:queue:annotune-main-training"} <= queues
    assert all(key.startswith("rq:") for key in set(map(str, client.keys("*"))) - seen)


def test_each_key_is_described_once_and_named_by_the_module_that_writes_it(redis_url: str) -> None:
    patterns = described()
    store = Store.connect(redis_url)
    modules = {type(value).__module__ for name, value in vars(store).items() if not name.startswith("_")}
    texts = [str(import_module(name).__doc__) for name in {*modules, Store.__module__} - {keys.__name__}]
    named = {name for text in texts if "see keys.py" in text for name in re.findall(r"`([^`]+)`", text)}

    assert len(set(patterns)) == len(patterns)
    assert [pattern for pattern in patterns if re.sub("^annotune:D:(P:)?", "", pattern) not in named] == []
