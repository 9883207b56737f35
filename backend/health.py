"""The health of the parts, checked in the background: a request for it waits for none of them."""

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TypedDict

from annotune.checks import check_label_studio, check_redis, check_server, check_worker
from annotune.deadline import Deadline
from annotune.errors import RecordUnreadable, StoreEmptied, StoreUnavailable
from annotune.models import ServerName
from annotune.servers.pool import default_ref
from annotune.store.reports import Batch
from annotune.store.workers import Check
from backend.batches import BatchReport
from backend.services import Services

EVERY_S = 10.0
# More often at first: parts that start together answer one after the other.
SOON_S, AT_FIRST_S = 1.0, 30.0
SERVER_S = 5.0
log = logging.getLogger(__name__)


class Part(TypedDict):
    """`ok` is None if it is not known."""

    ok: bool | None
    detail: str


class Report(TypedDict):
    """The body of `/health`. `status` is UP as long as this process answers; `checked_at` is None before the first check."""

    status: str
    checked_at: str | None
    redis: Part
    model_servers: dict[str, Part]
    label_studio: Part
    worker: Part
    last_batch: BatchReport | None
    batches: list[BatchReport]


class Health:
    """Checks all parts every `EVERY_S` seconds, at first every `SOON_S`.

    Each round also stores the answers that waited while Redis was away.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopped = threading.Event()
        self._batches: list[Batch] = []
        unknown = Check()
        self._report = _report(None, unknown, unknown, unknown, {default_ref(services.settings).server: unknown})

    @property
    def report(self) -> Report:
        batches = self._services.batches
        return {**self._report, "last_batch": batches.last, "batches": batches.reports(self._batches)}

    def start(self) -> None:
        """Check in a thread that ends with the process."""
        threading.Thread(target=self._run, name="health", daemon=True).start()

    def stop(self) -> None:
        """Stop checking, and store the answers that wait."""
        self._stopped.set()
        self._services.answer_log.close()

    def check(self) -> None:
        """Check all parts once."""
        redis, worker, names = self._check_store()
        servers = {
            name: check_server(self._services.servers.get, name, Deadline.after(SERVER_S)) for name in sorted(names)
        }
        label_studio = check_label_studio(self._services.settings, Deadline.after(SERVER_S))
        report = _report(datetime.now(UTC).isoformat(timespec="seconds"), redis, worker, label_studio, servers)
        for line in _changes(self._report, report):
            log.warning("%s", line)
        self._report = report

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stopped.is_set():
            try:
                self.check()
            except Exception:  # the next round may succeed
                log.exception("a check of the parts failed")
            self._stopped.wait(SOON_S if time.monotonic() - began < AT_FIRST_S else EVERY_S)

    def _check_store(self) -> tuple[Check, Check, set[ServerName]]:
        """Redis, the worker, and the model servers whose models answer."""
        store, servers = self._services.store, {default_ref(self._services.settings).server}
        worker = Check(part="worker", detail="known only while Redis answers")
        redis = check_redis(store)
        if redis.ok is False:
            return self._redis(redis.detail, ok=False), worker, servers
        detail = redis.detail
        try:
            self._services.answer_log.recover()
            alive = check_worker(store)
            self._services.serving.check_mark(store.backup.mark())
            projects = store.projects.all()
            self._batches = self._services.batches.refresh(projects)
            for project in projects:
                try:
                    live = store.live.get(project)
                except RecordUnreadable as error:
                    detail = f"answers, but {error}"
                    continue
                servers |= {live.server} if live else set()
        except StoreUnavailable as error:
            return self._redis(str(error), ok=False), worker, servers
        except StoreEmptied as error:
            return self._redis(str(error), ok=False), alive, servers
        return self._redis(detail, ok=True), alive, servers

    def _redis(self, detail: str, *, ok: bool) -> Check:
        """The state of Redis, and of the answers that wait for it."""
        spool = self._services.answer_log.spool
        details = [detail]
        details += [problem] if (problem := spool.check()) else []
        details += [f"{count} answers wait to be written down"] if (count := spool.count()) else []
        if spool.dropped:
            details.append(f"SPOOL_DIR was full: of {spool.dropped} answers only a marker is kept")
        if spool.overflowed:
            details.append("not even a marker had room: until this process restarts, no text in an editor is replaced")
        return Check(part="Redis", ok=ok, detail="; ".join(details))


def _report(
    checked_at: str | None, redis: Check, worker: Check, label_studio: Check, servers: dict[ServerName, Check]
) -> Report:
    return Report(
        status="UP",
        checked_at=checked_at,
        redis=_part(redis),
        model_servers={name: _part(check) for name, check in servers.items()},
        label_studio=_part(label_studio),
        worker=_part(worker),
        last_batch=None,
        batches=[],
    )


def _part(check: Check) -> Part:
    return Part(ok=check.ok, detail=check.detail)


def _changes(before: Report, after: Report) -> list[str]:
    """What is logged: parts that stopped or began to work."""
    parts = [("Redis", before["redis"], after["redis"]), ("worker", before["worker"], after["worker"])]
    servers = after["model_servers"]
    parts += [(name, before["model_servers"].get(name, part), part) for name, part in servers.items()]
    return [
        f"{name}: {now['detail']}"
        for name, was, now in parts
        if was["ok"] != now["ok"] and not (was["ok"] is None and now["ok"])
    ]
