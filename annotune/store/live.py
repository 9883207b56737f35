"""Which model answers each project, and which did before.

Keys of a project (see keys.py): `live`, `past`, `answered:ID`.
"""

import uuid

from redis import Redis

from annotune.models import ModelRef
from annotune.store.keys import Keys
from annotune.store.projects import ProjectStore
from annotune.store.records import Records
from annotune.store.redis import redis_errors
from annotune.store.scripts import REPEATED_S, SWAP, SWAP_BACK

MAX_PAST = 20


class LiveStore(Records):
    """The live pointers. Every method raises StoreUnavailable where Redis does not answer, and RecordUnreadable where what
    it finds is no `ModelRef`.
    """

    def __init__(self, client: Redis, keys: Keys, projects: ProjectStore) -> None:
        super().__init__(client, keys)
        self._projects = projects

    def get(self, project: int) -> ModelRef | None:
        """The live model; None where the settings name it."""
        return self._value(ModelRef, project, "live")

    def past(self, project: int) -> list[ModelRef]:
        """What was live before, newest first; at most `MAX_PAST`."""
        return self._values(ModelRef, project, "past")

    def swap(self, project: int, expected: ModelRef | None, new: ModelRef) -> bool:
        """Point at `new` if the pointer is still `expected` (None: no pointer yet).

        Raises:
            TooManyProjects: see `ProjectStore.remember`.
        """
        self._projects.remember(project)
        now = self._text(project, "live")
        if self._read(ModelRef, now, project, "live") != expected:
            return False
        return self._move(SWAP, project, now, new.model_dump_json(), MAX_PAST)

    def swap_back(self, project: int, expected: ModelRef, to: ModelRef | None) -> bool:
        """Take the last swap back, if the pointer is still `expected` and what was before it is still `to`."""
        now, before = self._text(project, "live"), next(iter(self._texts(project, "past", 0, 0)), "")
        refs = [self._read(ModelRef, now, project, "live"), self._read(ModelRef, before, project, "past")]
        return refs == [expected, to] and self._move(SWAP_BACK, project, now, before)

    def _move(self, script: str, project: int, *arguments: str | int) -> bool:
        keys = [self._keys.of(project, name) for name in ("live", "past", f"answered:{uuid.uuid4().hex}")]
        with redis_errors(keys[0]):
            return bool(self._redis.eval(script, len(keys), *keys, REPEATED_S, *arguments))
