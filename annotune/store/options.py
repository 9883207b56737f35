"""The options of each project. Key of a project (see keys.py): `options`."""

import logging

from redis import Redis

from annotune.errors import RecordUnreadable
from annotune.project_options import ProjectOptions
from annotune.store.keys import Keys
from annotune.store.projects import ProjectStore
from annotune.store.records import Records, pages
from annotune.store.redis import location, redis_errors

_log = logging.getLogger(__name__)


class OptionsStore(Records):
    """Every method raises StoreUnavailable where Redis does not answer, and RecordUnreadable where it holds something
    else.
    """

    def __init__(self, client: Redis, keys: Keys, projects: ProjectStore) -> None:
        super().__init__(client, keys)
        self._projects = projects

    def get(self, project: int) -> ProjectOptions:
        """A project's options; the defaults if it has none of its own."""
        return self._value(ProjectOptions, project, "options") or ProjectOptions()

    def reviewing(self, project: int) -> tuple[int, ...]:
        """The projects that review this one's answers. One whose options cannot be read reviews none, and is logged."""
        found: list[int] = []
        for page in pages(self._projects.all()):
            keys = [self._keys.of(other, "options") for other in page]
            with redis_errors(keys[0]):
                records = self._redis.mget(keys)
            for other, key, record in zip(page, keys, records, strict=True):
                try:
                    options = ProjectOptions.parse_record(record, location(key)) if record else ProjectOptions()
                except RecordUnreadable as error:
                    _log.warning("project %d: whether it is a review is unknown: %s", other, error)
                    continue
                found += [other] if options.reviews == project and other != project else []
        return tuple(found)

    def set(self, project: int, options: ProjectOptions) -> None:
        """Keep the options, and know the project from now on, so that they are backed up.

        Raises:
            TooManyProjects: see `ProjectStore.remember`.
        """
        self._projects.remember(project)
        self._set_value(options, project, "options")
