"""The two queues, and the jobs in them. Jobs are named by strings, so that no web process imports the trainer.

`changes` holds short syncs with Label Studio and `training` the long runs. A project's new prompt therefore does not wait
for another project's training. RQ's `unique` is not used: it refuses a change that arrives while a job runs.

RQ keeps the queues and the jobs under keys of its own, `rq:*`. A queue's name in them is `annotune-D-changes` or
`annotune-D-training`, in a deployment D.
"""

from collections.abc import Sequence
from contextlib import suppress

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.utils import decode_redis_hash

from annotune.errors import JobRefused
from annotune.store.job_spec import CHANGED_JOB, LIMITS_S, TRAIN_JOB, JobSpec
from annotune.store.migration import OLD_QUEUES
from annotune.store.records import PAGE, pages
from annotune.store.redis import redis_errors
from annotune.store.store import Store

CHANGES = "changes"
TRAINING = "training"
KINDS = (CHANGES, TRAINING)
FAILURE_KEPT_S = 3600


class JobQueue:
    """Puts jobs into the queues of the store's deployment.

    Every method raises StoreUnavailable where Redis does not answer, or keeps nothing new.
    """

    def __init__(self, store: Store, connection: Redis) -> None:
        """`connection` does not decode its answers."""
        self._store = store
        self._connection = connection

    def close(self) -> None:
        """Close the connection; the store stays open."""
        self._connection.close()

    def changed(self, *projects: int) -> None:
        """Raise the change counters of projects, and queue a sync of each that none waits for.

        Raises:
            RecordUnreadable, TooManyProjects: see `ChangeStore.note`.
        """
        self.sync(*self._store.changes.note(*projects))

    def sync(self, *projects: int) -> None:
        """Queue a sync of each project; its changes were noted before."""
        self._put(CHANGES, CHANGED_JOB, projects)

    def train(self, *projects: int) -> None:
        """Queue the training of each project; the store has the requests."""
        self._put(TRAINING, TRAIN_JOB, projects)

    def queued(self, kind: str) -> list[int]:
        """The projects of the jobs that wait in a queue, first come first. A project may be there twice."""
        with redis_errors():
            return self._projects(self.queue(kind))

    def lengths(self) -> dict[str, int]:
        """The number of jobs that wait in each queue."""
        with redis_errors():
            return {kind: len(self.queue(kind)) for kind in KINDS}

    def migrate(self) -> int:
        """Move the jobs of the queues of versions that knew no deployments; return how many there were.

        Interrupted and run again, it queues some of them twice. That does no harm.
        """
        put = {CHANGES: self.sync, TRAINING: self.train}
        moved = 0
        with redis_errors():
            for kind, name in OLD_QUEUES.items():
                old = Queue(name, connection=self._connection, serializer="json")
                projects = self._projects(old)
                for project in projects:
                    put[kind](project)
                old.delete(delete_jobs=True)
                moved += len(projects)
        return moved

    def queue(self, kind: str, *, job_class: type[Job] = Job) -> Queue:
        """RQ's queue of a kind, `changes` or `training`."""
        name = self._store.keys.queue(kind)
        return Queue(name, connection=self._connection, serializer="json", job_class=job_class)

    def _projects(self, queue: Queue) -> list[int]:
        """The projects of the jobs in a queue, in its order; a job that `JobSpec` refuses is passed over."""
        found = []
        for page in pages(queue.get_job_ids(), PAGE):
            pipe = self._connection.pipeline(transaction=False)
            for job in page:
                pipe.hgetall(Job.key_for(job))
            for fields in pipe.execute(raise_on_error=False):
                with suppress(JobRefused):
                    found.append(JobSpec.read(decode_redis_hash(fields) if isinstance(fields, dict) else {}).project)
        return found

    def _put(self, kind: str, job: str, projects: Sequence[int]) -> None:
        queue, limit_s = self.queue(kind), LIMITS_S[job]
        with redis_errors():
            for page in pages(projects):
                queue.enqueue_many(
                    Queue.prepare_data(job, args=(project,), timeout=limit_s, result_ttl=0, failure_ttl=FAILURE_KEPT_S)
                    for project in page
                )
