"""The versions of each project's model.

Keys of a project (see keys.py): `versions`, `number`.
"""

from redis import Redis

from annotune.models import ModelVersion
from annotune.store.keys import Keys
from annotune.store.projects import ProjectStore
from annotune.store.records import Records
from annotune.store.redis import location, redis_errors
from annotune.store.scripts import RAISE_NUMBER


class VersionStore(Records):
    """Model versions. Every method raises StoreUnavailable where Redis does not answer, and RecordUnreadable where what it
    finds is no version or no number.
    """

    def __init__(self, client: Redis, keys: Keys, projects: ProjectStore) -> None:
        super().__init__(client, keys)
        self._projects = projects

    def next_number(self, project: int) -> int:
        """A number that no version has yet."""
        with redis_errors():
            return int(self._redis.incr(self._keys.of(project, "number")))

    def raise_number(self, project: int, number: int) -> None:
        """Give out no number up to this one again (after a rebuild)."""
        with redis_errors():
            self._redis.eval(RAISE_NUMBER, 1, self._keys.of(project, "number"), number)

    def save(self, version: ModelVersion) -> None:
        """Keep a version, in place of the one of its number.

        Raises:
            TooManyProjects: see `ProjectStore.remember`.
        """
        self._projects.remember(version.project)
        key = self._keys.of(version.project, "versions")
        with redis_errors():
            self._redis.hset(key, str(version.number), version.model_dump_json())

    def all(self, project: int) -> list[ModelVersion]:
        """All versions, oldest first."""
        key = self._keys.of(project, "versions")
        with redis_errors(key):
            records = self._redis.hgetall(key).values()
        versions = (ModelVersion.parse_record(record, location(key)) for record in records)
        return sorted(versions, key=lambda version: version.number)
