"""How each project's last batch ended, and why Label Studio does not show its scores.

Keys of a project (see keys.py): `batch`, `scores`.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime

from annotune.errors import RecordUnreadable
from annotune.settings import DAY_S
from annotune.store.records import Records, pages
from annotune.store.redis import location, redis_errors
from annotune.values import FrozenModel

KEPT_S = 30 * DAY_S
MAX_BATCHES = 100


class Batch(FrozenModel):
    """How a request for predictions of several tasks ended.

    `kind` is the class of the most frequent error and `reason` its message; both are empty if every task was answered.
    """

    at: datetime
    project: int
    tasks: int
    answered: int
    kind: str = ""
    reason: str = ""


class ReportStore(Records):
    """Every method raises StoreUnavailable where Redis does not answer, or keeps nothing new."""

    def batch(self, project: int) -> Batch | None:
        """How a project's last batch ended, if that is known. Raises RecordUnreadable."""
        return self._value(Batch, project, "batch")

    def batches(self, projects: Sequence[int]) -> list[Batch]:
        """The last batches of these projects, at most `MAX_BATCHES`, newest first; unreadable ones are left out."""
        found: list[Batch] = []
        for page in pages(projects):
            keys = [self._keys.of(project, "batch") for project in page]
            with redis_errors():
                texts = self._redis.mget(keys)
            for key, text in zip(keys, texts, strict=True):
                with suppress(RecordUnreadable):
                    found += [Batch.parse_record(text, location(key))] if text else []
        return newest(found)

    def save_batch(self, batch: Batch) -> None:
        """Save it, unless a later one was saved."""
        known = None
        with suppress(RecordUnreadable):
            known = self.batch(batch.project)
        if known is None or known.at <= batch.at:
            with redis_errors():
                self._redis.set(self._keys.of(batch.project, "batch"), batch.model_dump_json(), ex=KEPT_S)

    def scores_missing(self, project: int) -> str:
        """Why Label Studio does not show the scores of the live model; empty if it does, or if that was not checked."""
        return self._text(project, "scores")

    def set_scores_missing(self, project: int, why: str) -> None:
        """Save the reason; an empty one deletes it."""
        key = self._keys.of(project, "scores")
        with redis_errors():
            self._redis.set(key, why) if why else self._redis.delete(key)


def newest(batches: Iterable[Batch]) -> list[Batch]:
    """One of each project, at most `MAX_BATCHES`, the newest first."""
    by_project: dict[int, Batch] = {}
    for batch in sorted(batches, key=lambda batch: batch.at):
        by_project.pop(batch.project, None)
        by_project[batch.project] = batch
    return list(reversed(by_project.values()))[:MAX_BATCHES]
