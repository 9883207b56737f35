"""Names of the keys in Redis, and of the queues: each deployment has its own, so that several can share a Redis.

A key is `annotune:<deployment>:<project>:<name>`, or `annotune:<deployment>:<name>` where it is no project's. A deployment
may be called `4`, like a project: what tells the two apart is the name after it, since no name is both a project's and a
deployment's.
"""

from dataclasses import dataclass

PREFIX = "annotune"


@dataclass(frozen=True)
class Keys:
    """The names that one deployment uses."""

    deployment: str

    @property
    def projects(self) -> str:
        """Set of the project ids that were seen."""
        return f"{PREFIX}:{self.deployment}:projects"

    @property
    def worker(self) -> str:
        """Set by a worker that is alive; expires."""
        return f"{PREFIX}:{self.deployment}:worker"

    @property
    def findings(self) -> str:
        """What a worker that is alive found; expires."""
        return f"{PREFIX}:{self.deployment}:findings"

    @property
    def probe(self) -> str:
        """Written to see whether Redis keeps what is new; expires."""
        return f"{PREFIX}:{self.deployment}:probe"

    @property
    def start(self) -> str:
        """Which start of Redis was noted: one that reads another's was started with what it had saved."""
        return f"{PREFIX}:{self.deployment}:start"

    @property
    def mark(self) -> str:
        """By which a worker knows that Redis was not emptied."""
        return f"{PREFIX}:{self.deployment}:mark"

    @property
    def answers_kept(self) -> str:
        """For how many seconds the answers are kept that are there."""
        return f"{PREFIX}:{self.deployment}:answers-kept"

    def of(self, project: int | str, name: str) -> str:
        return f"{PREFIX}:{self.deployment}:{project}:{name}"

    def queue(self, kind: str) -> str:
        """RQ's name for the queue of a kind of job."""
        return f"{PREFIX}-{self.deployment}-{kind}"
