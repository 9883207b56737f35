"""`annotune worker`: two RQ workers, watched over.

RQ's worker ends where Redis is away at the end of a job, and a killed one leaves its job behind as running (rq 3.0). So a
supervisor starts them again and queues what was lost, and every process dies with the one that started it.
"""

import logging
import multiprocessing
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

import rq
from rq.job import Job

import trainer.jobs  # noqa: F401 - loaded before the forks, so that no job has to wait for it
from annotune.errors import AnnotuneError, ConfigurationError, StoreUnavailable
from annotune.process import die_with
from annotune.settings import Settings
from annotune.store.keys import Keys
from annotune.store.migration import HEIR
from annotune.store.queue import KINDS, JobQueue, open_queue
from annotune.store.redis import connect_redis, place
from annotune.store.store import Store
from trainer.checks import Inspector
from trainer.mark import settle
from trainer.reconcile import TICK_S, Reconciler
from trainer.safe_job import SafeJob

WORKER_TTL_S = 60
MAINTENANCE_S = 30
BEAT_S = 1.0
ALIVE_S = 30.0
STOP_S = 5.0
STEADY_S = 60.0
LONGEST_PAUSE_S = 30.0
SAID_AGAIN_S = 60.0
STOPS = frozenset({signal.SIGTERM, signal.SIGINT})

_log = logging.getLogger(__name__)


class JobWorker(rq.Worker):
    """RQ's worker, except that it runs our jobs alone, that its job dies with it, and that it stops at once.

    A training that was stopped starts anew with the next worker, so nothing is gained by waiting hours for its end.
    """

    job_class = SafeJob

    def execute_job(self, job: Job, queue: rq.Queue) -> None:
        if isinstance(job, SafeJob) and job.refusal:
            _log.error("a job in the queue %s was removed and not run: %s", queue.name, job.refusal)
            job.remove(queue.intermediate_queue_key)
            return
        super().execute_job(job, queue)

    def main_work_horse(self, job: Job, queue: rq.Queue) -> None:
        die_with(self.pid or 0)
        super().main_work_horse(job, queue)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - RQ's signature
        for number in STOPS:  # a terminal's Ctrl-C reaches us twice
            signal.signal(number, signal.SIG_IGN)
        # Not by kill_horse: until the job's process leads a group of its own, that kills ours, the supervisor's too.
        if self.horse_pid:
            os.kill(self.horse_pid, signal.SIGKILL)
            self.wait_for_horse()
        raise SystemExit


class Child:
    """The process of the worker of one kind of jobs; started again, after a pause that grows, when it ended."""

    def __init__(self, kind: str, settings: Settings) -> None:
        self._kind = kind
        self._settings = settings
        self._process: BaseProcess | None = None
        self._began = 0.0
        self._pause_s = BEAT_S

    def keep(self) -> None:
        """Start it, unless it runs or is in its pause."""
        if self._process is not None:
            if self._process.is_alive():
                return
            lived_s = time.monotonic() - self._began
            if lived_s < self._pause_s:
                return
            _log.warning("the worker of %s ended (exit code %s): started again", self._kind, self._process.exitcode)
            self._pause_s = BEAT_S if lived_s > STEADY_S else min(2 * self._pause_s, LONGEST_PAUSE_S)
        # Forked, not spawned: what was loaded is shared, and no other thread of ours runs here.
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=_work, args=(self._kind, self._settings, os.getpid()))
        self._began = time.monotonic()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # until the child has handlers of its own
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def stop(self, deadline: float) -> None:
        """Wait for its end until `deadline` (monotonic), then kill it: without Redis it would wait for that."""
        if self._process is not None:
            self._process.join(max(0, deadline - time.monotonic()))
            self._process.kill()
            self._process.join()


def run_worker(settings: Settings, *, tick_s: float = TICK_S) -> None:
    """Work until SIGTERM or SIGINT; call it from the main thread of a process that runs no other.

    While Redis is away it waits, and says so. Each `tick_s` it queues the trainings that are wanted and do not run.

    Raises:
        ConfigurationError: a setting or the recipe is wrong; told before anything begins.
    """
    store = Store.connect(settings.redis_url, deployment=settings.deployment, patience="web")
    jobs = JobQueue(store, connect_redis(settings.redis_url, patience="web", decode=False))
    reconciler = Reconciler(store, jobs, settings.reconcile_s, tick_s)
    patient = Store.connect(settings.redis_url, deployment=settings.deployment, patience="job")
    keeper = Keeper(store, patient, settings.runs_dir)
    inspector = Inspector(settings)
    children = [Child(kind, settings) for kind in KINDS]
    said, moved_in = float("-inf"), False
    with stops() as stopped, closing(inspector), ended(children):
        while True:
            inspector.run()
            try:
                store.workers.heartbeat(ALIVE_S)
                store.workers.report(inspector.findings, ALIVE_S)
                if not moved_in:
                    migrate(store, jobs)
                    store.answers.settle(kept_s=settings.answers_kept_s)
                    moved_in = True
                    _log.info("Redis: answers at %s, deployment %r", place(settings.redis_url), settings.deployment)
                keeper.run()
                for child in children:
                    child.keep()
                reconciler.run()
                said = float("-inf")
            except AnnotuneError as error:  # Redis is away, or what all projects share in it cannot be read
                if time.monotonic() - said > SAID_AGAIN_S:
                    _log.error("%s; the worker waits for it", error)
                    said = time.monotonic()
            if stopped(BEAT_S):
                with suppress(StoreUnavailable):
                    store.workers.leave()
                return


@contextmanager
def ended(children: Sequence[Child]) -> Iterator[None]:
    """Ends them with the block."""
    try:
        yield
    finally:
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_S
        for child in children:
            child.stop(deadline)


@dataclass
class Keeper:
    """Sees that Redis and RUNS_DIR belong together, and says so again and again where they do not.

    `patient` is the same store, for what must not be given up half-way.
    """

    store: Store
    patient: Store
    runs_dir: Path
    _mark: str = ""
    _said: float = float("-inf")

    def run(self) -> None:
        """Where Redis has another mark than at the last time, or none: as `settle`.

        A folder that cannot be used stops nothing here: a training says so.

        Raises:
            StoreUnavailable: Redis is away, or keeps nothing.
        """
        if self._mark and self.store.backup.mark() == self._mark:
            return
        try:
            self._mark = settle(self.patient, self.runs_dir).id
        except ConfigurationError as error:
            if time.monotonic() - self._said > SAID_AGAIN_S:
                _log.error("%s", error)
                self._said = time.monotonic()


def migrate(store: Store, jobs: JobQueue) -> None:
    """Take over what a version that knew no deployments left in Redis, if this is its heir; else say that it is there.

    Raises:
        StoreUnavailable: Redis is away; begun again, it goes on where it was.
    """
    deployment = store.keys.deployment
    if deployment == HEIR:
        taken, queued = store.migrate(), jobs.migrate()
        if taken.moved or queued:
            _log.info("%d keys and %d waiting jobs of an older version were taken over", taken.moved, queued)
        if taken.kept:
            _log.warning(
                "%d keys of an older version stay unread, since newer ones are there, such as %s: delete them",
                len(taken.kept),
                taken.kept[0],
            )
    elif store.has_old_keys():
        _log.warning(
            "Redis holds projects of an older version, which only the deployment %r takes over: %r starts without them;"
            " 'annotune models rebuild' brings back models and prompts from RUNS_DIR",
            HEIR,
            deployment,
        )


@contextmanager
def stops() -> Iterator[Callable[[float], bool]]:
    """Gives `stopped(seconds)`: waits so long for SIGTERM or SIGINT, and tells whether one has come.

    By handlers that only note it, and not by blocking the two: libraries have threads (numpy's, which Label Studio's SDK
    loads), and the kernel ends the process by a signal that one of them does not block. One that was ignored stays so.
    """
    came = threading.Event()
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    heard = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: came.set()) for number in heard}
    was = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

    def stopped(seconds: float) -> bool:
        return came.is_set() or bool(select.select([reading], [], [], seconds)[0])

    try:
        yield stopped
    finally:
        signal.set_wakeup_fd(was)
        for number, handler in before.items():
            signal.signal(number, handler)
        reading.close()
        writing.close()


def _work(kind: str, settings: Settings, supervisor: int) -> None:
    die_with(supervisor)
    signal.set_wakeup_fd(-1)
    for number in STOPS:  # RQ sets its own when it begins
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    connection = connect_redis(settings.redis_url, patience="job", decode=False)
    JobWorker(
        [open_queue(Keys(settings.deployment), kind, connection, job_class=SafeJob)],
        connection=connection,
        serializer="json",
        worker_ttl=WORKER_TTL_S,
        maintenance_interval=MAINTENANCE_S,
        log_job_description=False,
    ).work(logging_level="WARNING")
