"""A lease in Redis: one process at a time does a project's work. The lease of a process that dies expires."""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from annotune.errors import StoreUnavailable
from annotune.store.store import Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaseTiming:
    """How long a lease lasts without being renewed, and how often it is renewed, in seconds."""

    ttl_s: float
    renew_s: float


LEASE_TIMING = LeaseTiming(ttl_s=30, renew_s=8)


@dataclass(frozen=True)
class Lease:
    """Whether it was `taken`, and whether another process has taken it since (`lost`). `holder` names who has it."""

    taken: bool
    holder: str = "another process"
    _lost: threading.Event = field(default_factory=threading.Event)

    def lost(self) -> bool:
        return self._lost.is_set()


@contextmanager
def lease(store: Store, project: int, name: str, timing: LeaseTiming = LEASE_TIMING) -> Iterator[Lease]:
    """Take a lease, renew it in a thread, and release it after the block.

    A lease that expired while Redis was away is taken again, unless another process was first.

    Raises:
        StoreUnavailable: Redis is away longer than the store's patience.
    """
    here = f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    token = f"{uuid.uuid4().hex} {here}"
    if not store.leases.take(project, name, token, timing.ttl_s):
        holder = store.leases.holder(project, name)
        if holder != token:  # it is ours if only the reply was lost
            yield Lease(taken=False, holder=holder.partition(" ")[2] or Lease.holder)
            return
    held = Lease(taken=True, holder=here)
    done, lock = threading.Event(), threading.Lock()

    def renew() -> None:
        while not done.wait(timing.renew_s):
            with lock:
                if done.is_set():
                    return
                try:
                    renewed = store.leases.renew(project, name, token, timing.ttl_s) or store.leases.take(
                        project, name, token, timing.ttl_s
                    )
                except StoreUnavailable:
                    _log.warning("project %d: the lease %r is not renewed while Redis is away", project, name)
                    continue
            if not renewed:
                _log.error("project %d: the lease %r went to another process, so this one stops", project, name)
                held._lost.set()  # noqa: SLF001 - the lease's own other half
                return

    threading.Thread(target=renew, name=f"lease-{name}-{project}", daemon=True).start()
    try:
        yield held
    finally:
        done.set()
        with lock:
            store.leases.release(project, name, token)
