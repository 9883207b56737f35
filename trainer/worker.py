"""`annotune worker`: two RQ workers, watched over.

RQ's worker ends where Redis is away at the end of a job, and a killed one leaves its job behind as running (rq 3.0). So a
supervisor starts them again and queues what was lost, and every process dies with the one that started it.
"""

import logging
import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from types import FrameType

import rq
from rq.job import Job

import trainer.jobs  # noqa: F401 - loaded before the forks, so that no job has to wait for it
from annotune.errors import StoreUnavailable
from annotune.queue import CHANGES, TRAINING, Jobs
from annotune.settings import Settings
from annotune.store import Store, connect_redis
from trainer.lifeline import die_with
from trainer.reconcile import TICK_S, Reconciler

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
    """RQ's worker, except that its job dies with it and that it stops at once.

    A training that was stopped starts anew with the next worker, so nothing is gained by waiting hours for its end.
    """

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
    """The process of one queue's worker; started again, after a pause that grows, when it ended."""

    def __init__(self, queue: str, settings: Settings) -> None:
        self._queue = queue
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
            _log.warning("the worker of %s ended (exit code %s): started again", self._queue, self._process.exitcode)
            self._pause_s = BEAT_S if lived_s > STEADY_S else min(2 * self._pause_s, LONGEST_PAUSE_S)
        # Forked, not spawned: what was loaded is shared, and no other thread of ours runs here.
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=_work, args=(self._queue, self._settings.redis_url, os.getpid()))
        self._began = time.monotonic()
        self._process.start()

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
    """
    store = Store.connect(settings.redis_url, patience="web")
    jobs = Jobs(store, connect_redis(settings.redis_url, patience="web", decode=False))
    reconciler = Reconciler(store, jobs, settings.reconcile_s, tick_s)
    children = [Child(queue, settings) for queue in (CHANGES, TRAINING)]
    # Blocked and waited for: a handler could strike in the middle of a fork or of a call to Redis.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    said = float("-inf")
    try:
        while True:
            try:
                store.worker_alive(ALIVE_S)
                for child in children:
                    child.keep()
                reconciler.run()
                said = float("-inf")
            except StoreUnavailable as error:
                if time.monotonic() - said > SAID_AGAIN_S:
                    _log.error("%s; the worker waits for it", error)
                    said = time.monotonic()
            if signal.sigtimedwait(STOPS, BEAT_S) is not None:
                return
    finally:
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_S
        for child in children:
            child.stop(deadline)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(queue: str, redis_url: str, supervisor: int) -> None:
    die_with(supervisor)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    connection = connect_redis(redis_url, patience="job", decode=False)
    JobWorker(
        [rq.Queue(queue, connection=connection, serializer="json")],
        connection=connection,
        serializer="json",
        worker_ttl=WORKER_TTL_S,
        maintenance_interval=MAINTENANCE_S,
    ).work(logging_level="WARNING")
