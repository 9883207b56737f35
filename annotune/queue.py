"""The two queues, and the jobs that wait in them, named by strings: the web process never imports what trains.

`changes` holds quick looks at Label Studio, `training` the long runs, so that a project's new prompt does not wait for
another's training. RQ's `unique` is not used: it refuses a change that arrives while a job runs.
"""

from redis import Redis, RedisError
from rq import Queue

from annotune.errors import StoreUnavailable
from annotune.store import Store

CHANGES = "annotune-changes"
TRAINING = "annotune-training"
CHANGED_JOB = "trainer.jobs.project_changed"
TRAIN_JOB = "trainer.jobs.train_project"
CHANGE_LIMIT_S = 600
FAILURE_KEPT_S = 3600


class Jobs:
    """Puts jobs into the queues."""

    def __init__(self, store: Store, connection: Redis) -> None:
        self._store = store
        self._connection = connection

    def changed(self, project: int) -> None:
        """Something changed in a project: raise its counter, and queue a look unless one waits already.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        if self._store.note_change(project):
            self.look(project)

    def look(self, project: int) -> None:
        """Queue a look at a project for changes that were told of before.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        self._put(CHANGES, CHANGED_JOB, project, CHANGE_LIMIT_S)

    def train(self, project: int) -> None:
        """Queue the training that the store says is wanted.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        self._put(TRAINING, TRAIN_JOB, project, -1)

    def projects_waiting(self, queue: str) -> frozenset[int]:
        """Projects that have a job in a queue.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        try:
            return frozenset(int(job.args[0]) for job in self._queue(queue).jobs if job.args)
        except RedisError as error:
            raise StoreUnavailable("Redis is not reachable: start it, or mend REDIS_URL") from error

    def waiting(self) -> dict[str, int]:
        """Jobs in each queue."""
        try:
            return {name: len(self._queue(name)) for name in (CHANGES, TRAINING)}
        except RedisError as error:
            raise StoreUnavailable("Redis is not reachable: start it, or mend REDIS_URL") from error

    def _queue(self, name: str) -> Queue:
        return Queue(name, connection=self._connection, serializer="json")

    def _put(self, queue: str, job: str, project: int, limit_s: int) -> None:
        try:
            self._queue(queue).enqueue_call(
                job, args=(project,), timeout=limit_s, result_ttl=0, failure_ttl=FAILURE_KEPT_S
            )
        except RedisError as error:
            raise StoreUnavailable("Redis is not reachable: start it, or mend REDIS_URL") from error
