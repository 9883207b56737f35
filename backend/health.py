"""How the parts are, looked at in the background: a request for it never waits for one of them."""

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TypedDict

import httpx

from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, RecordUnreadable, StoreEmptied, StoreUnavailable
from annotune.models import ServerName
from annotune.network import AnswerTooLarge, get
from annotune.servers.pool import default_ref
from annotune.store.reports import Batch
from backend.batches import BatchReport
from backend.services import Services

EVERY_S = 10.0
# At first: what is started together is there one after the other.
SOON_S, AT_FIRST_S = 1.0, 30.0
SERVER_S = 5.0
log = logging.getLogger(__name__)


class Part(TypedDict):
    """`ok` is None where it is not known."""

    ok: bool | None
    detail: str


class Report(TypedDict):
    """The body of `/health`. `status` is UP as long as this process answers; `checked_at` is None before the first look."""

    status: str
    checked_at: str | None
    redis: Part
    model_servers: dict[str, Part]
    label_studio: Part
    worker: Part
    last_batch: BatchReport | None
    batches: list[BatchReport]


class Health:
    """Looks at all parts every `EVERY_S` seconds, at first every `SOON_S`.

    What was answered while Redis was away is then written down.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._over = threading.Event()
        self._batches: list[Batch] = []
        unknown = Part(ok=None, detail="not looked at yet")
        default = default_ref(services.settings).server
        self._report = Report(
            status="UP",
            checked_at=None,
            redis=unknown,
            model_servers={default: unknown},
            label_studio=unknown,
            worker=unknown,
            last_batch=None,
            batches=[],
        )

    @property
    def report(self) -> Report:
        batches = self._services.batches
        return {**self._report, "last_batch": batches.last, "batches": batches.known(self._batches)}

    def start(self) -> None:
        """Begin looking, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="health", daemon=True).start()

    def stop(self) -> None:
        """End looking, and write down what waits."""
        self._over.set()
        self._services.answer_log.close()

    def look(self) -> None:
        """Look once."""
        redis, worker, servers = self._store()
        report = Report(
            status="UP",
            checked_at=datetime.now(UTC).isoformat(timespec="seconds"),
            redis=redis,
            model_servers={name: self._server(name) for name in sorted(servers)},
            label_studio=self._label_studio(),
            worker=worker,
            last_batch=None,
            batches=[],
        )
        for line in _changes(self._report, report):
            log.warning("%s", line)
        self._report = report

    def _run(self) -> None:
        began = time.monotonic()
        while not self._over.is_set():
            try:
                self.look()
            except Exception:  # the next look may succeed
                log.exception("a look at the parts broke off")
            self._over.wait(SOON_S if time.monotonic() - began < AT_FIRST_S else EVERY_S)

    def _store(self) -> tuple[Part, Part, set[ServerName]]:
        store, servers = self._services.store, {default_ref(self._services.settings).server}
        detail = "answers"
        try:
            store.probe()
            self._services.answer_log.look()
            worker = _worker(store.workers.alive())
            self._services.serving.check_mark(store.backup.mark())
            projects = store.projects.all()
            self._batches = self._services.batches.look(projects)
            for project in projects:
                try:
                    live = store.live.get(project)
                except RecordUnreadable as error:
                    detail = f"answers, but {error}"
                    continue
                servers |= {live.server} if live else set()
        except StoreUnavailable as error:
            told = "; ".join([str(error), *self._waiting()])
            return Part(ok=False, detail=told), Part(ok=None, detail="known only while Redis answers"), servers
        except StoreEmptied as error:
            told = "; ".join([str(error), *self._waiting()])
            return Part(ok=False, detail=told), worker, servers
        detail = "; ".join([detail, *self._waiting()])
        return Part(ok=True, detail=detail), worker, servers

    def _waiting(self) -> list[str]:
        """What is to be told of the answers that wait for Redis."""
        spool = self._services.answer_log.spool
        told = [why] if (why := spool.check()) else []
        told += [f"{count} answers wait to be written down"] if (count := spool.count()) else []
        if spool.dropped:
            told.append(f"SPOOL_DIR was full: of {spool.dropped} answers only a mark is kept")
        if spool.forgets:
            told.append("not even a mark had room: until this process restarts, no text on a screen is replaced")
        return told

    def _server(self, name: ServerName) -> Part:
        try:
            server = self._services.servers.get(name)
            server.check(Deadline.after(SERVER_S))
        except AnnotuneError as error:
            return Part(ok=False, detail=str(error))
        return Part(ok=True, detail=f"answers at {server.url}")

    def _label_studio(self) -> Part:
        settings = self._services.settings
        unset = [
            name
            for name, value in (
                ("LABEL_STUDIO_URL", settings.label_studio_url),
                ("LABEL_STUDIO_API_KEY", settings.label_studio_api_key),
            )
            if value is None
        ]
        if unset:
            return Part(ok=False, detail=f"{' and '.join(unset)} not set: predictions work, training does not")
        try:
            url = f"{str(settings.label_studio_url).rstrip('/')}/health"
            get(url, Deadline.after(SERVER_S)).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL, AnswerTooLarge):
            return Part(ok=False, detail="Label Studio is not reachable: start it, or fix LABEL_STUDIO_URL")
        return Part(ok=True, detail="answers, and a key is set")


def _worker(alive: bool) -> Part:
    return Part(ok=alive, detail="a worker is alive" if alive else "no worker: start 'annotune worker'")


def _changes(before: Report, after: Report) -> list[str]:
    """What is worth a line in the log: parts that went away or came back."""
    parts = [("Redis", before["redis"], after["redis"]), ("worker", before["worker"], after["worker"])]
    servers = after["model_servers"]
    parts += [(name, before["model_servers"].get(name, part), part) for name, part in servers.items()]
    return [
        f"{name}: {now['detail']}"
        for name, was, now in parts
        if was["ok"] != now["ok"] and not (was["ok"] is None and now["ok"])
    ]
