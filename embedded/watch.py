"""A training, watched from outside by what it tells Redis."""

import threading
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from annotune.runs import Progress as Told
from annotune.runs import TrainingRun
from annotune.store.store import Store
from embedded.processes import Service, ServiceError

POLL_S = 0.5
BEGIN_S = 180
END_S = 3600


def watch_training(store: Store, project: int, console: Console, worker: Service) -> TrainingRun:
    """Show a bar until the project's first run has ended, and return that run.

    Raises ServiceError if the worker ends, or no training begins within BEGIN_S or ends within END_S.
    """
    pause, began = threading.Event(), time.monotonic()
    stage = ""
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        shown = bar.add_task("waiting for the worker", total=None)
        while not (runs := store.runs.all(project)):
            told = store.training.progress(project)
            if told and told.stage != stage:
                stage = told.stage
                if not console.is_terminal:
                    console.print(f"  {stage} (after {time.monotonic() - began:.0f} s)")
            if told:
                _show(bar, shown, told)
            _check(store, project, worker, time.monotonic() - began, begun=bool(stage))
            pause.wait(POLL_S)
    return runs[0]


def _show(bar: Progress, shown: TaskID, told: Told) -> None:
    loss = "" if told.loss is None else f", loss {told.loss:.2f}"
    left = "" if told.left_s is None else f", {told.left_s:.0f} s left"
    bar.update(shown, description=f"{told.stage}{loss}{left}", completed=told.step, total=told.steps or None)


def _check(store: Store, project: int, worker: Service, waited_s: float, *, begun: bool) -> None:
    if not worker.alive:
        raise ServiceError(f"the worker has ended\n{worker.log_tail()}")
    if not begun and waited_s > BEGIN_S:
        tally = store.changes.summary(project)
        counted = f"{tally.usable} annotations can be learnt from, {tally.left_out} not" if tally else "nobody looked"
        raise ServiceError(f"no training began within {BEGIN_S} s ({counted})\n{worker.log_tail()}")
    if waited_s > END_S:
        raise ServiceError(f"the training did not end within {END_S} s\n{worker.log_tail()}")
