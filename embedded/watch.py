"""Shows the progress of a training, as the worker writes it to Redis."""

import threading
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from annotune.runs import Progress as RunProgress
from annotune.runs import TrainingRun
from annotune.store.store import Store
from embedded.processes import Service, ServiceError

POLL_S = 0.5
BEGIN_DEADLINE_S = 180
END_DEADLINE_S = 3600


def watch_training(store: Store, project: int, console: Console, worker: Service) -> TrainingRun:
    """Show a progress bar until the project's first run has ended, and return that run.

    Raises:
        ServiceError: the worker ended, no training began within `BEGIN_DEADLINE_S`, or it did not end within
            `END_DEADLINE_S`.
    """
    pause, began = threading.Event(), time.monotonic()
    stage = ""
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as display:
        bar = display.add_task("waiting for the worker", total=None)
        while not (runs := store.runs.all(project)):
            progress = store.training.progress(project)
            if progress and progress.stage != stage:
                stage = progress.stage
                if not console.is_terminal:
                    console.print(f"  {stage} (after {time.monotonic() - began:.0f} s)")
            if progress:
                _show(display, bar, progress)
            _check(store, project, worker, time.monotonic() - began, begun=bool(stage))
            pause.wait(POLL_S)
    return runs[0]


def _show(display: Progress, bar: TaskID, progress: RunProgress) -> None:
    loss = "" if progress.loss is None else f", loss {progress.loss:.2f}"
    left = "" if progress.left_s is None else f", {progress.left_s:.0f} s left"
    description = f"{progress.stage}{loss}{left}"
    display.update(bar, description=description, completed=progress.step, total=progress.steps or None)


def _check(store: Store, project: int, worker: Service, waited_s: float, *, begun: bool) -> None:
    if not worker.alive:
        raise ServiceError(f"the worker has ended\n{worker.log_tail()}")
    if not begun and waited_s > BEGIN_DEADLINE_S:
        summary = store.changes.summary(project)
        counts = "the worker has not read the annotations"
        if summary:
            counts = f"{summary.usable} annotations can be learnt from, {summary.left_out} not"
        raise ServiceError(f"no training began within {BEGIN_DEADLINE_S} s ({counts})\n{worker.log_tail()}")
    if waited_s > END_DEADLINE_S:
        raise ServiceError(f"the training did not end within {END_DEADLINE_S} s\n{worker.log_tail()}")
