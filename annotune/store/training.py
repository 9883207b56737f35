"""The training of each project that is requested or running.

Keys of a project (see keys.py): `training`, `progress`.
"""

from redis import Redis

from annotune.runs import Progress, TrainingRequest
from annotune.store.keys import Keys
from annotune.store.projects import ProjectStore
from annotune.store.records import Records
from annotune.store.redis import redis_errors
from annotune.store.scripts import CLAIM


class TrainingStore(Records):
    """Requested and running trainings. Every method raises StoreUnavailable where Redis does not answer, and
    RecordUnreadable where it holds something else.
    """

    def __init__(self, client: Redis, keys: Keys, projects: ProjectStore) -> None:
        super().__init__(client, keys)
        self._projects = projects

    def request(self, project: int, request: TrainingRequest) -> bool:
        """Request a training. False: one is requested or running already.

        Raises:
            TooManyProjects: see `ProjectStore.remember`.
        """
        self._projects.remember(project)
        with redis_errors():
            return bool(self._redis.eval(CLAIM, 1, self._keys.of(project, "training"), request.model_dump_json()))

    def requested(self, project: int) -> TrainingRequest | None:
        """The request that no training has ended yet."""
        return self._value(TrainingRequest, project, "training")

    def end(self, project: int) -> None:
        """A training has ended: its request and its progress go."""
        with redis_errors():
            self._redis.delete(self._keys.of(project, "training"), self._keys.of(project, "progress"))

    def progress(self, project: int) -> Progress | None:
        return self._value(Progress, project, "progress")

    def set_progress(self, project: int, progress: Progress) -> None:
        self._set_value(progress, project, "progress")
