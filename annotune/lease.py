"""A lease in Redis: one process at a time does a project's work, and one that dies frees it by its silence."""

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
    """How long a lease lives unrenewed, and how often it is renewed, in seconds."""

    ttl_s: float
    renew_s: float


LEASE_TIMING = LeaseTiming(ttl_s=30, renew_s=8)


@dataclass(frozen=True)
class Lease:
    """Whether it was `taken`, and whether it was `lost` to another process since. `holder` is who has it."""

    taken: bool
    holder: str = "another process"
    _lost: threading.Event = field(default_factory=threading.Event)

    def lost(self) -> bool:
        return self._lost.is_set()


@contextmanager
def lease(store: Store, project: int, name: str, timing: LeaseTiming = LEASE_TIMING) -> Iterator[Lease]:
    """Take a lease, keep it by a thread, give it back.

    One that expired while Redis was away is taken again, unless another process was first.

    Raises:
        StoreUnavailable: Redis is away longer than the store's patience.
    """
    here = f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    token = f"{uuid.uuid4().hex} {here}"
    if not store.leases.take(project, name, token, timing.ttl_s):
        told = store.leases.holder(project, name)
        if told != token:  # ours where only the reply was lost
            yield Lease(taken=False, holder=told.partition(" ")[2] or Lease.holder)
            return
    held = Lease(taken=True, holder=here)
    done, turn = threading.Event(), threading.Lock()

    def keep() -> None:
        while not done.wait(timing.renew_s):
            with turn:
                if done.is_set():
                    return
                try:
                    kept = store.leases.renew(project, name, token, timing.ttl_s) or store.leases.take(
                        project, name, token, timing.ttl_s
                    )
                except StoreUnavailable:
                    _log.warning("project %d: the lease %r is not renewed while Redis is away", project, name)
                    continue
            if not kept:
                _log.error("project %d: the lease %r went to another process, so this one stops", project, name)
                held._lost.set()  # noqa: SLF001 - the lease's own other half
                return

    threading.Thread(target=keep, name=f"lease-{name}-{project}", daemon=True).start()
    try:
        yield held
    finally:
        done.set()
        with turn:
            store.leases.release(project, name, token)
