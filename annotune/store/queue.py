"""The two queues, and the jobs that wait in them, named by strings: the web process never imports what trains.

`changes` holds quick looks at Label Studio, `training` the long runs, so that a project's new prompt does not wait for
another's training. RQ's `unique` is not used: it refuses a change that arrives while a job runs.
"""

from collections.abc import Sequence
from contextlib import suppress

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.utils import decode_redis_hash

from annotune.errors import JobRefused
from annotune.store.job_spec import CHANGED_JOB, LIMITS_S, TRAIN_JOB, JobSpec
from annotune.store.keys import Keys
from annotune.store.migration import OLD_QUEUES
from annotune.store.records import PAGE, pages
from annotune.store.redis import redis_errors
from annotune.store.store import Store

CHANGES = "changes"
TRAINING = "training"
KINDS = (CHANGES, TRAINING)
FAILURE_KEPT_S = 3600


class JobQueue:
    """Puts jobs into the queues of the store's deployment."""

    def __init__(self, store: Store, connection: Redis) -> None:
        self._store = store
        self._connection = connection

    def changed(self, *projects: int) -> None:
        """Something changed in these projects: raise their counters, and queue a look at each that none waits for.

        Raises:
            StoreUnavailable: Redis does not answer.
            RecordUnreadable: the counter of the only one is none; of several it is passed over, and logged.
        """
        self.sync(*self._store.changes.note(*projects))

    def sync(self, *projects: int) -> None:
        """Queue a look at each project for changes that were told of before.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        self._put(CHANGES, CHANGED_JOB, projects)

    def train(self, *projects: int) -> None:
        """Queue the training of each project that the store says is wanted.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        self._put(TRAINING, TRAIN_JOB, projects)

    def queued(self, kind: str) -> list[int]:
        """The projects of the jobs in the queue of a kind, first come first; one may be there twice.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        with redis_errors():
            return self._projects(self._queue(kind))

    def projects_waiting(self, kind: str) -> frozenset[int]:
        """Projects that have a job in the queue of a kind. Raises StoreUnavailable."""
        return frozenset(self.queued(kind))

    def lengths(self) -> dict[str, int]:
        """Jobs in the queue of each kind."""
        with redis_errors():
            return {kind: len(self._queue(kind)) for kind in KINDS}

    def migrate(self) -> int:
        """Queue anew what waits in the queues of a version that knew no deployments; how many jobs that were.

        Raises:
            StoreUnavailable: Redis does not answer; begun again, it queues some of them twice, which does no harm.
        """
        puts = {CHANGES: self.sync, TRAINING: self.train}
        taken = 0
        with redis_errors():
            for kind, name in OLD_QUEUES.items():
                old = Queue(name, connection=self._connection, serializer="json")
                projects = self._projects(old)
                for project in projects:
                    puts[kind](project)
                old.delete(delete_jobs=True)
                taken += len(projects)
        return taken

    def _queue(self, kind: str) -> Queue:
        return open_queue(self._store.keys, kind, self._connection)

    def _projects(self, queue: Queue) -> list[int]:
        """The projects of the jobs in a queue, in its order; what is none of our jobs is passed over."""
        ids, found = queue.get_job_ids(), []
        for first in range(0, len(ids), PAGE):
            pipe = self._connection.pipeline(transaction=False)
            for job in ids[first : first + PAGE]:
                pipe.hgetall(Job.key_for(job))
            for fields in pipe.execute(raise_on_error=False):
                with suppress(JobRefused):
                    found.append(JobSpec.read(decode_redis_hash(fields) if isinstance(fields, dict) else {}).project)
        return found

    def _put(self, kind: str, job: str, projects: Sequence[int]) -> None:
        queue, limit_s = self._queue(kind), LIMITS_S[job]
        with redis_errors():
            for page in pages(projects):
                queue.enqueue_many(
                    Queue.prepare_data(job, args=(project,), timeout=limit_s, result_ttl=0, failure_ttl=FAILURE_KEPT_S)
                    for project in page
                )


def open_queue(keys: Keys, kind: str, connection: Redis, *, job_class: type[Job] = Job) -> Queue:
    """The queue of a kind, `changes` or `training`, of a deployment."""
    return Queue(keys.queue(kind), connection=connection, serializer="json", job_class=job_class)
