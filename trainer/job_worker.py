"""RQ's worker for one kind of job, in a process that the supervisor starts again when it ends."""

import logging
import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from types import FrameType

import rq
from rq.job import Job

from annotune.process import die_with
from annotune.settings import Settings
from annotune.store.connection import open_store
from trainer.safe_job import SafeJob
from trainer.signals import STOP_SIGNALS, reset_stop_signals, stop_signals_blocked

WORKER_TTL_S = 60
MAINTENANCE_S = 30
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0

_log = logging.getLogger(__name__)


class JobWorker(rq.Worker):
    """RQ's worker, with three differences: it runs our jobs alone, its job dies with it, and it stops at once.

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
        for number in STOP_SIGNALS:  # a terminal's Ctrl-C arrives twice
            signal.signal(number, signal.SIG_IGN)
        # Not by kill_horse: until the job's process leads a group of its own, that kills ours, the supervisor's too.
        if self.horse_pid:
            os.kill(self.horse_pid, signal.SIGKILL)
            self.wait_for_horse()
        raise SystemExit


class WorkerProcess:
    """The process of a JobWorker. It is started again when it ends, after a pause that grows with each early end."""

    def __init__(self, kind: str, settings: Settings) -> None:
        self._kind = kind
        self._settings = settings
        self._process: BaseProcess | None = None
        self._began = 0.0
        self._pause_s = FIRST_PAUSE_S

    def ensure_running(self) -> None:
        """Start the process, unless it runs or its pause is not over."""
        if self._process is not None:
            if self._process.is_alive():
                return
            lived_s = time.monotonic() - self._began
            if lived_s < self._pause_s:
                return
            _log.warning("the worker of %s ended (exit code %s): started again", self._kind, self._process.exitcode)
            self._pause_s = FIRST_PAUSE_S if lived_s > STEADY_S else min(2 * self._pause_s, LONGEST_PAUSE_S)
        # Forked, not spawned: loaded modules are shared, and the supervisor has no other thread of ours.
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=_work, args=(self._kind, self._settings, os.getpid()))
        self._began = time.monotonic()
        with stop_signals_blocked():
            self._process.start()

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait for its end until `deadline` (monotonic), then kill it: it may be waiting for Redis."""
        if self._process is not None:
            self._process.join(max(0, deadline - time.monotonic()))
            self._process.kill()
            self._process.join()


def _work(kind: str, settings: Settings, supervisor: int) -> None:
    """What the process runs. RQ sets its own signal handlers when it begins."""
    die_with(supervisor)
    reset_stop_signals()
    queue = open_store(settings, patience="job").jobs.queue(kind, job_class=SafeJob)
    JobWorker(
        [queue],
        connection=queue.connection,
        serializer="json",
        worker_ttl=WORKER_TTL_S,
        maintenance_interval=MAINTENANCE_S,
        log_job_description=False,
    ).work(logging_level="WARNING")
