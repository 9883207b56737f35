"""`annotune worker`: a supervisor over two RQ workers, one for syncs and one for trainings.

RQ's worker ends where Redis is away at the end of a job, and a killed one leaves its job behind as running (rq 3.0). So
the supervisor starts workers again and queues what was lost. Every process dies with the one that started it.
"""

import logging
import time
from contextlib import closing, suppress

import trainer.jobs  # noqa: F401 - loaded before the forks, so that no job waits for its imports
from annotune.errors import AnnotuneError, ConfigurationError, StoreUnavailable
from annotune.settings import Settings
from annotune.store.connection import open_store
from annotune.store.migration import TARGET_DEPLOYMENT
from annotune.store.queue import KINDS, JobQueue
from annotune.store.redis import redis_address
from annotune.store.store import Store
from trainer.checks import BackgroundChecks
from trainer.job_worker import WorkerProcess
from trainer.mark import ensure_paired
from trainer.reconcile import TICK_S, Reconciler
from trainer.signals import stop_signals

BEAT_S = 1.0
ALIVE_S = 30.0
STOP_S = 5.0
LOG_AGAIN_S = 60.0

_log = logging.getLogger(__name__)


def run_worker(settings: Settings, *, tick_s: float = TICK_S) -> None:
    """Work until SIGTERM or SIGINT. Call it from the main thread of a process that does nothing else.

    While Redis is away it waits, and the log says so. Every `tick_s` seconds it queues requested trainings that do not run.

    Raises:
        ConfigurationError: a setting or the recipe is wrong; raised before any work begins.
    """
    with stop_signals() as stopped, closing(Supervisor(settings, tick_s)) as supervisor:
        while True:
            supervisor.beat()
            if stopped(BEAT_S):
                supervisor.leave()
                return


class Supervisor:
    """Keeps the workers running, reports that it is alive, and queues what was lost; `beat` does a round of that."""

    def __init__(self, settings: Settings, tick_s: float) -> None:
        self._settings = settings
        self._store, self._jobs = open_store(settings)
        self._reconciler = Reconciler(self._store, self._jobs, settings.reconcile_s, tick_s)
        self._pairing = Pairing(self._store, settings)
        self._checks = BackgroundChecks(settings)
        self._processes = [WorkerProcess(kind, settings) for kind in KINDS]
        self._migrated = False
        self._waiting = ThrottledError("%s; the worker waits for it")

    def beat(self) -> None:
        """Do what is due. While Redis is away, the log says so once a minute."""
        self._checks.run()
        try:
            self._report()
            self._migrate_once()
            self._pairing.check()
            for process in self._processes:
                process.ensure_running()
            self._reconciler.run()
            self._waiting.reset()
        except AnnotuneError as error:  # Redis is away, or what all projects share in it cannot be read
            self._waiting.log(error)

    def leave(self) -> None:
        """Take back the report that a worker is alive."""
        with suppress(StoreUnavailable):
            self._store.workers.leave()

    def close(self) -> None:
        """End all processes; those that do not end within STOP_S are killed."""
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + STOP_S
        for process in self._processes:
            process.wait(deadline)
        self._checks.close()

    def _report(self) -> None:
        self._store.workers.heartbeat(ALIVE_S)
        self._store.workers.report(self._checks.report, ALIVE_S)

    def _migrate_once(self) -> None:
        """Adapt what older versions and other settings left in Redis, once it answers."""
        if self._migrated:
            return
        migrate(self._store, self._jobs)
        self._store.answers.apply_retention(kept_s=self._settings.answers_kept_s)
        self._migrated = True
        _log.info(
            "Redis: answers at %s, deployment %r", redis_address(self._settings.redis_url), self._settings.deployment
        )


class Pairing:
    """Keeps Redis and RUNS_DIR paired. Where they cannot be, the log says so once a minute."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        # What is restored must not be given up half-way: this store waits longer.
        self._patient_store = open_store(settings, patience="job").store
        self._runs_dir = settings.runs_dir
        self._mark = ""
        self._unpaired = ThrottledError("%s")

    def check(self) -> None:
        """Call `ensure_paired` if Redis has no mark, or another than last time.

        A folder that cannot be used stops nothing here: a training reports it.

        Raises:
            StoreUnavailable: Redis is away, or keeps nothing.
        """
        if self._mark and self._store.backup.mark() == self._mark:
            return
        try:
            self._mark = ensure_paired(self._patient_store, self._runs_dir).id
        except ConfigurationError as error:
            self._unpaired.log(error)


class ThrottledError:
    """Logs an error that may come again every second, once in LOG_AGAIN_S."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._logged_at = float("-inf")

    def log(self, error: AnnotuneError) -> None:
        now = time.monotonic()
        if now - self._logged_at > LOG_AGAIN_S:
            _log.error(self._text, error)
            self._logged_at = now

    def reset(self) -> None:
        """Log the next error at once."""
        self._logged_at = float("-inf")


def migrate(store: Store, jobs: JobQueue) -> None:
    """Take over what a version without deployments left in Redis, if this deployment is its heir; else log that it is there.

    Raises:
        StoreUnavailable: Redis is away; call it again to go on.
    """
    deployment = store.keys.deployment
    if deployment == TARGET_DEPLOYMENT:
        migrated, queued = store.migrate(), jobs.migrate()
        if migrated.moved or queued:
            _log.info("%d keys and %d waiting jobs of an older version were taken over", migrated.moved, queued)
        if migrated.kept:
            _log.warning(
                "%d keys of an older version stay unread, since newer ones are there, such as %s: delete them",
                len(migrated.kept),
                migrated.kept[0],
            )
    elif store.has_old_keys():
        _log.warning(
            "Redis holds projects of an older version, which only the deployment %r takes over: %r starts without them;"
            " 'annotune models rebuild' brings back models and prompts from RUNS_DIR",
            TARGET_DEPLOYMENT,
            deployment,
        )
