"""What the workers of a deployment say of themselves in Redis: that one is alive, and what it found.

Keys, in a deployment D; both expire when no worker renews them:

    annotune:D:worker     set by each worker that is alive
    annotune:D:findings   what one of them found; of several, one that can train
"""

import time
from typing import Literal

from annotune.errors import RecordUnreadable
from annotune.store.records import Records
from annotune.store.redis import in_redis, redis_errors
from annotune.values import FrozenModel

PartName = Literal["label_studio", "recipe", "trainer"]


class Finding(FrozenModel):
    """How a part is: `ok` is None as long as it is not known; `detail` says what to do where it is not well."""

    ok: bool | None = None
    detail: str = "not looked at yet"


class Findings(FrozenModel):
    """What a worker needs: Label Studio, to look at projects and to train; for a training a recipe and a trainer too.

    `by` is an id of the worker that found it.
    """

    label_studio: Finding = Finding()
    recipe: Finding = Finding()
    trainer: Finding = Finding()
    by: str = ""

    @property
    def trains(self) -> bool:
        """Whether it is known to be able to train."""
        return all(part.ok for part in self._parts)

    @property
    def cannot_learn(self) -> str:
        """Why it looks at no project, and trains none; empty where it can, or where that is not known."""
        return self.label_studio.detail if self.label_studio.ok is False else ""

    @property
    def cannot_train(self) -> str:
        """Why it trains none; empty where it can, or where that is not known."""
        return next((part.detail for part in self._parts if part.ok is False), "")

    @property
    def _parts(self) -> tuple[Finding, ...]:
        return self.label_studio, self.recipe, self.trainer


class WorkerStore(Records):
    """The workers of a deployment. Every method raises StoreUnavailable where Redis does not answer."""

    def heartbeat(self, ttl_s: float) -> None:
        """Called by each worker now and then: one is alive for the next `ttl_s` seconds."""
        with redis_errors():
            self._redis.set(self._keys.worker, str(time.time()), px=int(ttl_s * 1000))

    def alive(self) -> bool:
        """Whether any worker is."""
        with redis_errors():
            return bool(self._redis.exists(self._keys.worker))

    def report(self, findings: Findings, ttl_s: float) -> None:
        """Called by each worker now and then. One that is not known to train leaves what another, which trains, has told."""
        there = None if findings.trains else self.findings()
        if there is None or there.by == findings.by or not there.trains:
            with redis_errors():
                self._redis.set(self._keys.findings, findings.model_dump_json(), px=int(ttl_s * 1000))

    def leave(self) -> None:
        """Called by a worker that ends: what it said holds no more. Another one that is alive says it again at once."""
        with redis_errors():
            self._redis.delete(self._keys.worker, self._keys.findings)

    def findings(self) -> Findings | None:
        """What a worker that is alive found; None where none is, or where it tells nothing that this version can read."""
        key = self._keys.findings
        try:
            with redis_errors(key):
                found = self._redis.get(key)
            return Findings.parse_record(found, in_redis(key)) if found else None
        except RecordUnreadable:
            return None
