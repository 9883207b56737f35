"""The jobs that a worker accepts: one of two functions, named by a string, with one project's id.

Anyone who can write to Redis can add a job, and RQ (3.0) runs any function, callback or webhook that a job names. So a
worker reads a job as a `JobSpec` first, and refuses every other job.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from annotune.errors import JobRefused

CHANGED_JOB = "trainer.jobs.project_changed"
TRAIN_JOB = "trainer.jobs.train_project"
LIMITS_S = {CHANGED_JOB: 600, TRAIN_JOB: -1}
"""The time limit of each function, in seconds; -1 is none."""
MAX_BYTES = 300
MAX_PROJECT = 2**63
# The fields that RQ (3.0) writes for a job that was enqueued with a function and arguments only.
_PLAIN_FIELDS = frozenset(
    {
        *("data", "origin", "description", "status", "timeout", "result_ttl", "failure_ttl", "worker_name"),
        *("created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat", "exc_info", "result"),
    }
)


@dataclass(frozen=True)
class JobSpec:
    """A function's dotted name and the project that is its argument."""

    job: str
    project: int

    @property
    def limit_s(self) -> int:
        return LIMITS_S[self.job]

    @classmethod
    def read(cls, fields: Mapping[str, bytes]) -> "JobSpec":
        """Parse the hash of an RQ job, whose values are bytes.

        Raises:
            JobRefused: it is no such job, or has more fields. The message gives the reason and quotes no value.
        """
        extra = sorted(name for name, value in fields.items() if value and name not in _PLAIN_FIELDS)
        if extra:
            raise JobRefused(f"it has fields that no job of Annotune has ({', '.join(extra)[:MAX_BYTES]})")
        try:
            job, instance, arguments, named = json.loads(_plain(fields.get("data", b"")))
        except (ValueError, TypeError, RecursionError):
            raise JobRefused("its data is no JSON list of four items") from None
        if not isinstance(job, str) or job not in LIMITS_S:
            raise JobRefused("its function is no job of Annotune")
        if instance is not None or named != {} or not isinstance(arguments, list) or len(arguments) != 1:
            raise JobRefused("its arguments are not the id of one project")
        [project] = arguments
        if type(project) is not int or not 0 <= project < MAX_PROJECT:
            raise JobRefused("its arguments are not the id of one project")
        return cls(job, project)


def _plain(data: bytes) -> bytes:
    """The data, decompressed if it was compressed. At most `MAX_BYTES` and one byte are unpacked, so a bomb does no harm."""
    decompressor = zlib.decompressobj()
    try:
        plain = decompressor.decompress(data, MAX_BYTES + 1)
    except zlib.error:
        plain = data
    if len(plain) > MAX_BYTES:
        raise JobRefused(f"its data is longer than {MAX_BYTES} bytes")
    return plain
