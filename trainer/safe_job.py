"""A job as RQ's worker sees it: its function and its project, and nothing else that its hash may hold."""

import json
from typing import Any

import redis
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.utils import decode_redis_hash

from annotune.errors import JobRefused
from annotune.store.job_spec import LIMITS_S, JobSpec

RESULT_KEPT_S = 0
FAILURE_KEPT_S = 3600
_STATUSES = frozenset(status.value.encode() for status in JobStatus)


class SafeJob(Job):
    """RQ makes all its jobs by `restore`, those in its registries too. Ours leaves out callbacks, webhooks, dependencies,
    retries and repeats.

    `refusal` says why a job must not run; it is empty if the job may.
    """

    refusal = ""

    def restore(self, raw_data: Any) -> None:
        """Raises nothing, whatever the hash holds."""
        fields = decode_redis_hash(raw_data)
        try:
            spec = JobSpec.read(fields)
            data: list[Any] = [spec.job, None, [spec.project], {}]
            limit_s = spec.limit_s
        except JobRefused as error:
            self.refusal = str(error)
            data, limit_s = ["", None, [], {}], max(LIMITS_S.values())
        status, origin = fields.get("status", b""), fields.get("origin", b"")
        super().restore(
            {
                "data": json.dumps(data).encode(),
                "origin": origin.decode(errors="replace").encode(),
                "status": status if status in _STATUSES else JobStatus.QUEUED.value.encode(),
                "timeout": str(limit_s).encode(),
                "result_ttl": str(RESULT_KEPT_S).encode(),
                "failure_ttl": str(FAILURE_KEPT_S).encode(),
            }
        )

    @classmethod
    def fetch(cls, id: str, connection: redis.Redis | None = None, serializer: Any = None) -> Job:  # noqa: A002 - RQ's name
        """As RQ's, except that a key which holds no job counts as gone. RQ's worker would end at it again and again.

        Raises:
            NoSuchJobError: there is no such job.
        """
        try:
            return super().fetch(id, connection, serializer)
        except (redis.ResponseError, TypeError, ValueError) as error:  # a key of another type, or an id that is none
            raise NoSuchJobError(f"no job has the id {id!r}") from error

    def remove(self, intermediate_queue: str) -> None:
        """Delete the job and its lists, and its entry in the intermediate queue."""
        pipe = self.connection.pipeline()
        pipe.delete(self.key, self.dependents_key, self.dependencies_key)
        pipe.lrem(intermediate_queue, 0, self.id)
        pipe.execute()
