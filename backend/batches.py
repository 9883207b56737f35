"""How batches ended. Label Studio (1.23) does not show it to the person who started one."""

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
    """A batch as `/health` shows it.

    A batch is a request for more than one task, or one that is too large to be read; then `project` and `tasks` are None.
    `reason` is the type of the most frequent error, and empty if all tasks were answered. The log has the error's sentence.
    """

    at: str
    project: int | None
    tasks: int | None
    answered: int
    reason: str


class Batches:
    """Records how the batches of this process ended, in Redis, where all processes read them.

    While Redis is away, batches wait in memory for `flush`, so at most one request waits for a timeout of Redis.
    """

    def __init__(self, store: Store) -> None:
        self.last: BatchReport | None = None
        self._store = store
        self._lock = threading.Lock()
        self._local: dict[int, Batch] = {}  # by project; of this process, since the last `refresh`
        self._unwritten: dict[int, Batch] = {}  # by project

    def record(self, project: int, tasks: int, errors: Sequence[AnnotuneError], *, began: float) -> None:
        """Record and log a batch. A request for one task is only logged: a person opened that task.

        Args:
            project: its id.
            tasks: the number of tasks in the request.
            errors: one for each task without an answer.
            began: `time.monotonic()` at the start.
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
        self._add(batch)

    def record_refused(self, error: RequestInvalid) -> None:
        """Record a request for predictions whose body was refused."""
        if isinstance(error, BodyInvalid) and error.project is not None and error.tasks:
            self.record(error.project, error.tasks, [error] * error.tasks, began=time.monotonic())
        elif isinstance(error, BodyTooLarge):
            at = datetime.now(UTC).isoformat(timespec="seconds")
            self.last = BatchReport(at=at, project=None, tasks=None, answered=0, reason=type(error).__name__)

    def flush(self) -> None:
        """Write the waiting batches to Redis.

        Raises:
            StoreUnavailable: Redis is away. What is not written goes on waiting.
        """
        with self._lock:
            unwritten = list(self._unwritten.values())
        for batch in unwritten:
            self._store.reports.save_batch(batch)
            with self._lock:
                if self._unwritten.get(batch.project) is batch:
                    del self._unwritten[batch.project]

    def refresh(self, projects: Sequence[int]) -> list[Batch]:
        """Write the waiting batches to Redis, and read the last batch of each of these projects from there.

        The result replaces what this process has in memory, also for projects that are gone.

        Raises:
            StoreUnavailable: Redis is away.
        """
        with self._lock:
            local = dict(self._local)
        self.flush()
        stored = self._store.reports.batches(projects)
        with self._lock:
            for project, batch in local.items():
                if self._local.get(project) is batch:
                    del self._local[project]
        return stored

    def reports(self, stored: Iterable[Batch]) -> list[BatchReport]:
        """The last batch of each project: the newest of `stored`, as `refresh` returned it, and of this process."""
        with self._lock:
            local = list(self._local.values())
        return [report_of(batch) for batch in newest([*stored, *local])]

    def _add(self, batch: Batch) -> None:
        with self._lock:
            self.last = report_of(batch)
            self._local.pop(batch.project, None)
            self._local[batch.project] = batch
            if len(self._local) > MAX_BATCHES:
                del self._local[next(iter(self._local))]
            redis_is_away = bool(self._unwritten)
            self._unwritten = {each.project: each for each in newest([batch, *self._unwritten.values()])}
        if not redis_is_away:
            with suppress(StoreUnavailable):
                self.flush()


def report_of(batch: Batch) -> BatchReport:
    """A batch as `/health` shows it."""
    return BatchReport(
        at=batch.at.isoformat(timespec="seconds"),
        project=batch.project,
        tasks=batch.tasks,
        answered=batch.answered,
        reason=batch.kind,
    )
