"""What a job in a queue may be: one of two functions, named by a string, with one project's id.

Whoever can write to Redis can put a job there, and RQ (3.0) runs whatever function, callback or webhook a job names. So
a job is taken for what it says in these words, and for nothing else.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from annotune.errors import JobRefused

CHANGED_JOB = "trainer.jobs.project_changed"
TRAIN_JOB = "trainer.jobs.train_project"
LIMITS_S = {CHANGED_JOB: 600, TRAIN_JOB: -1}
"""The functions, and how many seconds each may take; -1: any number."""
MAX_BYTES = 300
MAX_PROJECT = 2**63
# What RQ writes into the hash of a job that was enqueued with a function and arguments alone.
_PLAIN_FIELDS = frozenset(
    {
        *("data", "origin", "description", "status", "timeout", "result_ttl", "failure_ttl", "worker_name"),
        *("created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat", "exc_info", "result"),
    }
)


@dataclass(frozen=True)
class JobSpec:
    """A function and the project that it is to be called with."""

    job: str
    project: int

    @property
    def limit_s(self) -> int:
        return LIMITS_S[self.job]

    @classmethod
    def read(cls, fields: Mapping[str, bytes]) -> "JobSpec":
        """The order in the hash of an RQ job, whose values are bytes.

        Raises:
            JobRefused: it holds none, or says more; the message says which of these, and quotes nothing of it.
        """
        more = sorted(name for name, value in fields.items() if value and name not in _PLAIN_FIELDS)
        if more:
            raise JobRefused(f"it has what no job of ours has ({', '.join(more)[:MAX_BYTES]})")
        try:
            job, instance, arguments, named = json.loads(_plain(fields.get("data", b"")))
        except (ValueError, TypeError, RecursionError):
            raise JobRefused("it is no JSON list of four") from None
        if not isinstance(job, str) or job not in LIMITS_S:
            raise JobRefused("its function is none of ours")
        if instance is not None or named != {} or not isinstance(arguments, list) or len(arguments) != 1:
            raise JobRefused("its arguments are not one project's id")
        [project] = arguments
        if type(project) is not int or not 0 <= project < MAX_PROJECT:
            raise JobRefused("its arguments are not one project's id")
        return cls(job, project)


def _plain(data: bytes) -> bytes:
    """What was compressed, or was not; a bomb never unfolds."""
    machine = zlib.decompressobj()
    try:
        plain = machine.decompress(data, MAX_BYTES + 1)
    except zlib.error:
        plain = data
    if len(plain) > MAX_BYTES:
        raise JobRefused(f"it is longer than {MAX_BYTES} bytes")
    return plain
