"""Workers that take a job and are killed before they begin it: a program that `test_trainer_lost_jobs.py` starts.

usage: python dying_workers.py NUMBER

RQ moves a job to a list of its own before it begins it: the job is then in no queue, and nobody is at it.
"""

import os
import signal
import sys
from typing import NoReturn

import rq
from rq.job import Job

from annotune.settings import load_settings
from annotune.store.connection import open_store
from annotune.store.queue import TRAINING
from trainer.job_worker import JobWorker


class Dying(JobWorker):
    def execute_job(self, job: Job, queue: rq.Queue) -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        raise SystemExit("unreachable")


def take_one_and_die() -> None:
    queue = open_store(load_settings(), patience="job").jobs.queue(TRAINING)
    Dying([queue], connection=queue.connection, serializer="json").work(burst=True, logging_level="WARNING")
    os._exit(0)  # the queue was empty


def main() -> None:
    killed = 0
    for _ in range(int(sys.argv[1])):
        child = os.fork()
        if child == 0:
            take_one_and_die()
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    sys.stdout.write(f"{killed}\n")


if __name__ == "__main__":
    main()
