"""`annotune worker` whose training is a double: a program that `test_trainer_worker.py` starts.

usage: python worker_double.py FOLDER

The double writes its process id to `FOLDER/began-N`, waits for `FOLDER/go`, and then ends its run. Leases live shortly.
"""

import logging
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from annotune.errors import TrainingCancelled
from annotune.lease import LeaseTiming
from annotune.runs import TrainingRequest, TrainingRun
from annotune.settings import load_settings
from trainer import jobs
from trainer.context import TrainerContext, open_trainer_context
from trainer.worker import run_worker

SHORT = LeaseTiming(ttl_s=2, renew_s=0.4)


def main() -> None:
    folder = Path(sys.argv[1])
    pause = threading.Event()

    def run_training(context: TrainerContext, project: int, request: TrainingRequest) -> TrainingRun:
        began = datetime.now(UTC)
        number = len(list(folder.glob("began-*"))) + 1
        (folder / f"began-{number}").write_text(str(os.getpid()))
        while not (folder / "go").exists():
            if context.cancelled():
                raise TrainingCancelled("the lease is another's")
            pause.wait(0.05)
        return TrainingRun(
            id=f"run-{number}",
            project=project,
            number=number,
            state="promoted",
            started_at=began,
            requested_by=request.requested_by,
        )

    def train_project(project: int) -> None:
        jobs.train_under_lease(open_trainer_context(), project, run_training, timing=SHORT)

    # RQ finds a job by its name; the workers are forked from here.
    jobs.train_project = train_project
    logging.basicConfig(level=logging.INFO)
    run_worker(load_settings(), tick_s=0.5)


if __name__ == "__main__":
    main()
