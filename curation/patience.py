"""Long work that changes a project's tasks, and ends complete although programs die and servers restart.

    def work(check: Check) -> Counts:
        ...                      # read what Label Studio holds now; for each batch that is missing: check(), then send it
    counts = until_done(context, project, work, notice=print)

The work must be idempotent: it reads from Label Studio what is there, and adds only what is missing. `until_done` gives it

- a lease, so that no two processes change the tasks of one project at the same time. `check` raises InUse once another
  process has it; call it before each change;
- the wait for a process that was killed: its lease is not renewed and expires within 30 s. By then Label Studio has also
  ended the request that the dead process sent last, so that reading its tasks is safe;
- the wait for a Label Studio that goes away in the middle: up to `Waiting.away_s`, with a notice. The whole work then
  runs again. A request whose answer was lost may still be worked on: if Label Studio answers at once again, it gets
  `Waiting.settle_s`.

What the work has sent before an error stays. Running it again is always safe.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from annotune.deadline import Deadline
from annotune.errors import InUse, LabelStudioSilent, LabelStudioUnreachable
from annotune.label_studio.health import check_reachable
from annotune.lease import LEASE_TIMING, Lease, LeaseTiming, lease
from annotune.store.store import Store
from curation.context import CurationContext

LEASE = "tasks"
log = logging.getLogger(__name__)

Check = Callable[[], None]
Notice = Callable[[str], object]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Waiting:
    """How long to wait, in seconds: for a Label Studio that is away, between two tries, for a request that was lost.

    `passes` is the most that the work runs in all.
    """

    away_s: float = 600.0
    retry_s: float = 1.0
    settle_s: float = 30.0
    passes: int = 20
    lease: LeaseTiming = LEASE_TIMING


WAITING = Waiting()


def until_done(
    context: CurationContext,
    project: int,
    work: Callable[[Check], Result],
    *,
    notice: Notice = log.warning,
    waiting: Waiting = WAITING,
) -> Result:
    """Run idempotent work on a project's tasks until it has ended without losing Label Studio; its result.

    Args:
        context: where Redis and Label Studio are.
        project: the project whose tasks change.
        work: called with `check`, perhaps several times.
        notice: called with a sentence for each wait.
        waiting: how long to wait.

    Raises:
        InUse: a process that is alive changes the project's tasks, or took over while Redis was away.
        NotFound: there is no such project.
        LabelStudioUnreachable: Label Studio does not answer at the start, or stays away.
        StoreUnavailable: Redis does not answer.
    """
    context.label_studio.projects.get(project)  # a wrong address or a wrong number is no reason to wait
    with _held(context.patient_store, project, notice, waiting) as held:

        def check() -> None:
            if held.lost():
                raise InUse(
                    f"project {project}: while Redis was away another process began to change its tasks, so this one"
                    " stops; what was sent stays: run it again"
                )

        for left in reversed(range(waiting.passes)):
            try:
                return work(check)
            except (LabelStudioUnreachable, LabelStudioSilent) as error:
                if not left:
                    raise
                _await_label_studio(context, error, notice, waiting)
                check()
    raise AssertionError("no pass was made")


@contextmanager
def _held(store: Store, project: int, notice: Notice, waiting: Waiting) -> Iterator[Lease]:
    """The lease of a project's tasks. One whose holder was killed is waited for, a living holder's is not."""
    noticed, pause = False, threading.Event()
    while True:
        with lease(store, project, LEASE, waiting.lease) as held:
            if held.taken:
                yield held
                return
        left_s = store.leases.left_s(project, LEASE)
        while left_s is not None:
            if not noticed:
                noticed = True
                notice(f"project {project}: waiting up to {left_s:.0f} s for {held.holder}, which may have been killed")
            pause.wait(min(waiting.retry_s, max(left_s, 0.01)))
            before, left_s = left_s, store.leases.left_s(project, LEASE)
            if left_s is not None and left_s > before:  # renewed, so its holder is alive
                raise InUse(f"project {project}: its tasks are being changed by {held.holder}: wait for its end")


def _await_label_studio(context: CurationContext, error: Exception, notice: Notice, waiting: Waiting) -> None:
    """Return when Label Studio answers again and works on no request of ours. Raises `error` if it stays away."""
    url, pause = context.settings.label_studio_url or "", threading.Event()
    notice(f"{error}: waiting for it up to {waiting.away_s / 60:.0f} minutes")
    ends, at_once = time.monotonic() + waiting.away_s, True
    while True:
        try:
            check_reachable(url, Deadline.after(max(waiting.retry_s, 5.0)))
        except LabelStudioUnreachable:
            at_once = False
            if time.monotonic() > ends:
                raise error from None
            pause.wait(waiting.retry_s)
        else:
            break
    if at_once:
        pause.wait(waiting.settle_s)
    notice("Label Studio answers again: going on")
