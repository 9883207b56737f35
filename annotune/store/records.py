"""Reading what is kept of a project in Redis: what cannot be read is named, and is that project's fault alone."""

from typing import TypeVar

import redis

from annotune.errors import RecordUnreadable
from annotune.store.keys import Keys
from annotune.store.redis import in_redis, redis_errors
from annotune.values import FrozenModel

V = TypeVar("V", bound=FrozenModel)


class Records:
    """The keys of a deployment's projects. Every method raises StoreUnavailable where Redis does not answer, and
    RecordUnreadable where what it finds is not what it should be.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self.keys = keys

    def _text(self, project: int, name: str) -> str:
        """What a key holds; empty where it is not there."""
        key = self.keys.of(project, name)
        with redis_errors(key):
            return str(self._redis.get(key) or "")

    def _texts(self, project: int, name: str, first: int = 0, last: int = -1) -> list[str]:
        key = self.keys.of(project, name)
        with redis_errors(key):
            return [str(item) for item in self._redis.lrange(key, first, last)]

    def _number(self, project: int, name: str) -> int:
        text = self._text(project, name) or "0"
        if not text.isdecimal():
            raise RecordUnreadable(in_redis(self.keys.of(project, name)))
        return int(text)

    def _read(self, kind: type[V], text: str, project: int, name: str) -> V | None:
        return kind.parse_record(text, in_redis(self.keys.of(project, name))) if text else None

    def _value(self, kind: type[V], project: int, name: str) -> V | None:
        return self._read(kind, self._text(project, name), project, name)

    def _values(self, kind: type[V], project: int, name: str) -> list[V]:
        where = in_redis(self.keys.of(project, name))
        return [kind.parse_record(text, where) for text in self._texts(project, name)]
