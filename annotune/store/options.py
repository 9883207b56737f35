"""The options of each project. Key of a project (see keys.py): `options`."""

from redis import Redis

from annotune.project_options import ProjectOptions
from annotune.store.keys import Keys
from annotune.store.projects import ProjectStore
from annotune.store.records import Records


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

    def set(self, project: int, options: ProjectOptions) -> None:
        """Keep the options, and know the project from now on, so that they are backed up.

        Raises:
            TooManyProjects: see `ProjectStore.remember`.
        """
        self._projects.remember(project)
        self._set_value(options, project, "options")
