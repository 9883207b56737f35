"""Which projects changed in Label Studio, and what the last sync with it counted.

Keys of a project (see keys.py): `changes`, `looked`, `queued`, `tally`.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from redis import Redis, RedisError

from annotune.errors import RecordUnreadable
from annotune.runs import SyncSummary
from annotune.store.keys import Keys
from annotune.store.projects import ProjectStore
from annotune.store.records import Records, pages
from annotune.store.redis import redis_errors
from annotune.store.scripts import CLAIM, NOTE_CHANGE

QUEUED_S = 60
_HELD = ("training", "lease:training", "lease:changed")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Due:
    """A project that no job holds: a training is requested for it, or it changed since the last sync."""

    project: int
    training: bool
    changed: bool


class ChangeStore(Records):
    """The changes of each project. Every method raises StoreUnavailable where Redis does not answer, and RecordUnreadable
    where it holds something else.
    """

    def __init__(self, client: Redis, keys: Keys, projects: ProjectStore) -> None:
        super().__init__(client, keys)
        self._projects = projects

    def note(self, *projects: int) -> list[int]:
        """Raise the counters of projects. Return the projects for which no "changed" job waits, so that one must be queued.

        A project whose counter is unreadable is logged and passed over, unless it is the only one.

        Raises:
            TooManyProjects: see `ProjectStore.remember`.
            RecordUnreadable: there is one project, and its counter is no number.
        """
        self._projects.remember(*projects)
        found = []
        for page in pages(projects):
            for project, reply in zip(page, self._raise_counters(page), strict=True):
                try:
                    with redis_errors(self._keys.of(project, "changes")):
                        if isinstance(reply, RedisError):
                            raise reply
                except RecordUnreadable as error:
                    if len(projects) == 1:
                        raise
                    _log.warning("project %d: passed over: %s", project, error)
                else:
                    found += [project] if reply else []
        return found

    def _raise_counters(self, projects: Sequence[int]) -> list[object]:
        pipe = self._redis.pipeline(transaction=False)
        for project in projects:
            keys = [self._keys.of(project, name) for name in ("changes", "queued")]
            pipe.eval(NOTE_CHANGE, len(keys), *keys, uuid.uuid4().hex, QUEUED_S)
        with redis_errors():
            replies: list[object] = pipe.execute(raise_on_error=False)
        return replies

    def count(self, project: int) -> int:
        return self._number(project, "changes")

    def synced(self, project: int) -> int:
        """The counter as it was when the last sync began."""
        return self._number(project, "looked")

    def set_synced(self, project: int, count: int) -> None:
        with redis_errors():
            self._redis.set(self._keys.of(project, "looked"), count)

    def note_queued(self, project: int) -> bool:
        """True: no "changed" job waits, so one must be queued."""
        with redis_errors():
            key = self._keys.of(project, "queued")
            return bool(self._redis.eval(CLAIM, 1, key, uuid.uuid4().hex, QUEUED_S * 1000))

    def take_queued(self, project: int) -> None:
        """A "changed" job has begun. The next change needs another one."""
        with redis_errors():
            self._redis.delete(self._keys.of(project, "queued"))

    def due(self) -> list[Due]:
        """What is due in any known project, read in a few requests."""
        found = []
        for page in pages(self._projects.all()):
            pipe = self._redis.pipeline(transaction=False)
            for project in page:
                pipe.mget(self._keys.of(project, "changes"), self._keys.of(project, "looked"))
                for name in _HELD:
                    pipe.exists(self._keys.of(project, name))
            with redis_errors():
                replies = iter(pipe.execute())
            for project in page:
                (count, synced), requested, training, syncing = islice(replies, 1 + len(_HELD))
                changed = (count or "0") != (synced or "0")
                due = Due(project, bool(requested and not training), changed and not syncing)
                found += [due] if due.training or due.changed else []
        return found

    def summary(self, project: int) -> SyncSummary | None:
        """What the last sync counted."""
        return self._value(SyncSummary, project, "tally")

    def set_summary(self, project: int, summary: SyncSummary) -> None:
        self._set_value(summary, project, "tally")
