"""What makes good for lost webhooks and dead processes."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from annotune.queue import CHANGES, TRAINING, Jobs
from annotune.store import Store

TICK_S = 10.0

_log = logging.getLogger(__name__)


def look_everywhere(store: Store, jobs: Jobs) -> None:
    """Queue a look at each known project."""
    for project in store.projects():
        jobs.changed(project)


def revive(store: Store, jobs: Jobs) -> None:
    """Queue what is due and neither runs nor waits, since the process that had it was killed.

    A job that was taken from the queue a moment ago may not hold its lease yet: then a second one is queued, which finds
    nothing to do.
    """
    for project in store.projects():
        if store.training_wanted(project) and _is_left(store, jobs, project, "training", TRAINING):
            _log.info("project %d: its training is wanted and does not run: queued", project)
            jobs.train(project)
        if store.changes(project) != store.looked(project) and _is_left(store, jobs, project, "changed", CHANGES):
            jobs.look(project)


def _is_left(store: Store, jobs: Jobs, project: int, lease: str, queue: str) -> bool:
    return not store.lease_held(project, lease) and project not in jobs.projects_waiting(queue)


@dataclass
class Reconciler:
    """Does both when they are due: the first at its start and each `reconcile_s`, the second each `tick_s`."""

    store: Store
    jobs: Jobs
    reconcile_s: float
    tick_s: float = TICK_S
    clock: Callable[[], float] = time.monotonic
    _look_at: float = float("-inf")
    _revive_at: float = float("-inf")

    def run(self) -> None:
        """Do what is due.

        Raises:
            StoreUnavailable: Redis is away; what was due stays due.
        """
        now = self.clock()
        if now >= self._look_at:
            look_everywhere(self.store, self.jobs)
            self._look_at = now + self.reconcile_s
        if now >= self._revive_at:
            revive(self.store, self.jobs)
            self._revive_at = now + self.tick_s
