"""Reconciliation: what lost webhooks and killed processes left undone is queued again."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from annotune.errors import RecordUnreadable
from annotune.store.queue import CHANGES, TRAINING, JobQueue
from annotune.store.store import Store

TICK_S = 10.0

_log = logging.getLogger(__name__)


def sync_all(store: Store, jobs: JobQueue) -> None:
    """Queue a sync of each known project, unless one waits already."""
    waiting = set(jobs.queued(CHANGES))
    try:
        jobs.changed(*(project for project in store.projects.all() if project not in waiting))
    except RecordUnreadable as error:  # of the only project there is; of several, one is passed over
        _log.warning("a project is not synced: %s", error)


def requeue_due(store: Store, jobs: JobQueue) -> None:
    """Queue what is due and neither runs nor waits: the process that had it was killed.

    A job that was taken from the queue a moment ago may not hold its lease yet. Then a second one is queued, which finds
    nothing to do.
    """
    due = store.changes.due()
    syncing, training = (set(jobs.queued(kind)) for kind in (CHANGES, TRAINING))
    requested = [each.project for each in due if each.training and each.project not in training]
    for project in requested:
        _log.info("project %d: its training is requested and does not run: queued", project)
    jobs.train(*requested)
    jobs.sync(*(each.project for each in due if each.changed and each.project not in syncing))


@dataclass
class Reconciler:
    """Calls `sync_all` at the start and every `reconcile_s` seconds, and `requeue_due` every `tick_s` seconds.

    Both read and write in bulk. The supervisor waits for them: with thousands of projects they take seconds.
    """

    store: Store
    jobs: JobQueue
    reconcile_s: float
    tick_s: float = TICK_S
    clock: Callable[[], float] = time.monotonic
    _sync_at: float = float("-inf")
    _requeue_at: float = float("-inf")

    def run(self) -> None:
        """Do what is due.

        Raises:
            StoreUnavailable: Redis is away; what was due stays due.
        """
        now = self.clock()
        if now >= self._sync_at:
            sync_all(self.store, self.jobs)
            self._sync_at = now + self.reconcile_s
        if now >= self._requeue_at:
            requeue_due(self.store, self.jobs)
            self._requeue_at = now + self.tick_s
