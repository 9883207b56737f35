"""What the stores share: reading the records of a project, and naming the one that cannot be read."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import redis

from annotune.errors import RecordUnreadable
from annotune.store.keys import Keys
from annotune.store.redis import location, redis_errors
from annotune.values import FrozenModel

PAGE = 200
T = TypeVar("T")
V = TypeVar("V", bound=FrozenModel)


class Records:
    """The base of the stores: a client that decodes its answers, and the keys of a deployment."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client  # redis-py's types do not say that it decodes
        self._keys = keys

    def _text(self, project: int, name: str) -> str:
        """What a key holds; empty where it is not there."""
        key = self._keys.of(project, name)
        with redis_errors(key):
            return str(self._redis.get(key) or "")

    def _texts(self, project: int, name: str, first: int = 0, last: int = -1) -> list[str]:
        key = self._keys.of(project, name)
        with redis_errors(key):
            return [str(item) for item in self._redis.lrange(key, first, last)]

    def _number(self, project: int, name: str) -> int:
        text = self._text(project, name) or "0"
        if not text.isdecimal():
            raise RecordUnreadable(location(self._keys.of(project, name)))
        return int(text)

    def _read(self, kind: type[V], text: str, project: int, name: str) -> V | None:
        return kind.parse_record(text, location(self._keys.of(project, name))) if text else None

    def _value(self, kind: type[V], project: int, name: str) -> V | None:
        return self._read(kind, self._text(project, name), project, name)

    def _values(self, kind: type[V], project: int, name: str) -> list[V]:
        where = location(self._keys.of(project, name))
        return [kind.parse_record(text, where) for text in self._texts(project, name)]

    def _set_value(self, value: FrozenModel, project: int, name: str) -> None:
        with redis_errors():
            self._redis.set(self._keys.of(project, name), value.model_dump_json())


def pages(items: Iterable[T], size: int = PAGE) -> Iterator[list[T]]:
    """The items in lists of at most `size`, so that no request grows without a limit."""
    left = iter(items)
    while page := list(islice(left, size)):
        yield page
