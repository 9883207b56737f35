"""How batches ended: Label Studio (1.23) hides it from whoever began one."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypedDict

from annotune.errors import AnnotuneError, BodyTooLarge, RequestInvalid, StoreUnavailable
from annotune.store.reports import MAX_BATCHES, Batch, newest
from annotune.store.store import Store
from backend.requests import BodyInvalid

log = logging.getLogger(__name__)


class BatchReport(TypedDict):
    """Of `/health`: a request for more than one task, or one that was too large to be read: then `project` and `tasks` are
    not known.

    `reason` is the kind of the most frequent error, and empty where all was answered; the log has its sentence.
    """

    at: str
    project: int | None
    tasks: int | None
    answered: int
    reason: str


class Batches:
    """What this process knows of batches, written into Redis for all others.

    While Redis is away they wait here, so that one request at most waits for it in vain: `keep` writes them.
    """

    def __init__(self, store: Store) -> None:
        self.last: BatchReport | None = None
        self._store = store
        self._lock = threading.Lock()
        self._own: dict[int, Batch] = {}
        self._waiting: dict[int, Batch] = {}

    def record(self, project: int, tasks: int, errors: Sequence[AnnotuneError], *, began: float) -> None:
        """A batch ended that began at `began` (monotonic), with an error for each task that was not answered.

        One task is no batch: somebody opened it.
        """
        seconds = time.monotonic() - began
        if tasks <= 1:
            log.info("project %d: %d task%s opened, %.2f s", project, tasks, "" if tasks else "s", seconds)
            return
        reasons = Counter((type(error).__name__, str(error)) for error in errors)
        kind, reason = reasons.most_common(1)[0][0] if reasons else ("", "")
        answered = tasks - len(errors)
        batch = Batch(at=datetime.now(UTC), project=project, tasks=tasks, answered=answered, kind=kind, reason=reason)
        if errors:
            more = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
            outcome = f"{answered} of {tasks} tasks answered"
            log.warning("project %d: batch, %s, %.2f s: %s%s", project, outcome, seconds, reason, more)
        else:
            log.info("project %d: batch, all of %d tasks answered, %.2f s", project, tasks, seconds)
        with self._lock:
            self.last = report_of(batch)
            self._own.pop(project, None)
            self._own[project] = batch
            if len(self._own) > MAX_BATCHES:
                del self._own[next(iter(self._own))]
            away = bool(self._waiting)
            self._waiting = {each.project: each for each in newest([batch, *self._waiting.values()])}
        if not away:
            with suppress(StoreUnavailable):
                self.flush()

    def record_refused(self, error: RequestInvalid) -> None:
        """A request was refused at the door."""
        if isinstance(error, BodyInvalid) and error.project is not None and error.tasks:
            self.record(error.project, error.tasks, [error] * error.tasks, began=time.monotonic())
        elif isinstance(error, BodyTooLarge):
            at = datetime.now(UTC).isoformat(timespec="seconds")
            self.last = BatchReport(at=at, project=None, tasks=None, answered=0, reason=type(error).__name__)

    def flush(self) -> None:
        """Write down what waits.

        Raises:
            StoreUnavailable: Redis is away; what is not written waits on.
        """
        with self._lock:
            waiting = list(self._waiting.values())
        for batch in waiting:
            self._store.reports.save_batch(batch)
            with self._lock:
                if self._waiting.get(batch.project) is batch:
                    del self._waiting[batch.project]

    def refresh(self, projects: Sequence[int]) -> list[Batch]:
        """Write down what waits, and read the last batches of these projects, as all processes kept them.

        What this process knew is then known from Redis, or forgotten with its project.

        Raises:
            StoreUnavailable: Redis is away.
        """
        with self._lock:
            own = dict(self._own)
        self.flush()
        kept = self._store.reports.batches(projects)
        with self._lock:
            for project, batch in own.items():
                if self._own.get(project) is batch:
                    del self._own[project]
        return kept

    def reports(self, kept: Iterable[Batch]) -> list[BatchReport]:
        """The last batch of each project: what is kept in Redis, and what this process knows besides."""
        with self._lock:
            own = list(self._own.values())
        return [report_of(batch) for batch in newest([*kept, *own])]


def report_of(batch: Batch) -> BatchReport:
    return BatchReport(
        at=batch.at.isoformat(timespec="seconds"),
        project=batch.project,
        tasks=batch.tasks,
        answered=batch.answered,
        reason=batch.kind,
    )
