"""The workers of a deployment: whether one is alive, and what it can do.

Keys (see keys.py): `worker`, `findings`. Both expire when no worker renews them.
"""

import time
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from annotune.errors import RecordUnreadable
from annotune.store.records import Records
from annotune.store.redis import location, redis_errors
from annotune.values import FrozenModel

PartName = Literal["label_studio", "recipe", "trainer"]
TITLES: dict[str, str] = {"label_studio": "Label Studio", "recipe": "recipe", "trainer": "trainer"}


class Check(FrozenModel):
    """The state of a part: works, does not work, or not known (`ok` is None).

    `detail` describes it, and says what to do if the part does not work. `part` is not stored: it is the key in Redis and in
    `/health`.
    """

    part: str = Field(default="", exclude=True)
    ok: bool | None = None
    detail: str = "not checked yet"


class WorkerReport(FrozenModel):
    """What a worker can do: it needs Label Studio to learn, and a recipe and a trainer to train. `by` is the worker's id."""

    label_studio: Check = Check(part=TITLES["label_studio"])
    recipe: Check = Check(part=TITLES["recipe"])
    trainer: Check = Check(part=TITLES["trainer"])
    by: str = ""

    @field_validator(*TITLES)
    @classmethod
    def _name_part(cls, check: Check, field: ValidationInfo) -> Check:
        return check.model_copy(update={"part": TITLES[str(field.field_name)]})

    @property
    def trains(self) -> bool:
        """Whether all checks that a training needs passed."""
        return all(check.ok for check in self._checks)

    @property
    def cannot_learn(self) -> str:
        """Why the worker can neither sync projects nor train; empty if it can, or if that is not known."""
        return self.label_studio.detail if self.label_studio.ok is False else ""

    @property
    def cannot_train(self) -> str:
        """Why the worker cannot train; empty if it can, or if that is not known."""
        return next((check.detail for check in self._checks if check.ok is False), "")

    @property
    def _checks(self) -> tuple[Check, ...]:
        return self.label_studio, self.recipe, self.trainer


class WorkerStore(Records):
    """The workers of a deployment. Every method raises StoreUnavailable where Redis does not answer."""

    def heartbeat(self, ttl_s: float) -> None:
        """Called by each worker now and then: one is alive for the next `ttl_s` seconds."""
        with redis_errors():
            self._redis.set(self._keys.worker, str(time.time()), px=int(ttl_s * 1000))

    def alive(self) -> bool:
        """Whether any worker is alive."""
        with redis_errors():
            return bool(self._redis.exists(self._keys.worker))

    def report(self, report: WorkerReport, ttl_s: float) -> None:
        """Called by each worker now and then. The report of another worker that can train stays in place of a lesser one."""
        stored = None if report.trains else self.last_report()
        if stored is None or stored.by == report.by or not stored.trains:
            with redis_errors():
                self._redis.set(self._keys.findings, report.model_dump_json(), px=int(ttl_s * 1000))

    def leave(self) -> None:
        """Called by a worker that ends. Deletes heartbeat and report; another worker that is alive soon writes its own."""
        with redis_errors():
            self._redis.delete(self._keys.worker, self._keys.findings)

    def last_report(self) -> WorkerReport | None:
        """The report of a worker that is alive; None if none is, or if this version cannot read the report."""
        key = self._keys.findings
        try:
            with redis_errors(key):
                found = self._redis.get(key)
            return WorkerReport.parse_record(found, location(key)) if found else None
        except RecordUnreadable:
            return None
