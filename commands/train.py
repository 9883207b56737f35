"""`annotune train`: ask for a training, and watch it."""

import time
from datetime import UTC, datetime

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from annotune.errors import ConfigurationError, TrainingRefused
from annotune.recipe import Recipe, recipe_names
from annotune.runs import TrainingRequest, TrainingRun
from commands.context import PROJECT, CommandContext
from commands.output import say
from commands.signals import Stopped, stoppable

POLL_S = 0.5


@click.command()
@click.argument("project", type=PROJECT)
@click.option("--no-wait", is_flag=True, help="Ask for it and return.")
@click.pass_obj
def train(context: CommandContext, project: int, no_wait: bool) -> None:
    """Let the worker train a new version for PROJECT, and watch it; Ctrl-C (or SIGTERM) ends the watching only."""
    if context.settings.recipe is None:
        raise ConfigurationError(
            f"training is off: set RECIPE, here and at the worker, to one of {recipe_names()}, or to a file's path"
        )
    Recipe.load(context.settings.recipe)
    context.connection(project).title()
    findings = context.store.workers.findings() if context.store.workers.alive() else None
    if findings is not None and findings.cannot_train:
        raise TrainingRefused(
            f"project {project}: no training is queued, since the worker cannot train: {findings.cannot_train}"
        )
    before = _newest(context, project)
    if context.store.training.request(project, TrainingRequest(requested_by="command", at=datetime.now(UTC))):
        context.jobs.train(project)
        say(f"project {project}: a training is queued")
    else:
        say(f"project {project}: a training is wanted or running already")
    tally = context.store.changes.summary(project)
    if tally and tally.lacks:
        say(f"at the last look at Label Studio: {tally.lacks}", err=True)
    if not context.store.workers.alive():
        say("no worker is alive: the training waits until 'annotune worker' runs", err=True)
    if no_wait:
        return
    try:
        with stoppable():
            _watch(context, project)
    except Stopped as stopped:
        say(f"project {project}: no longer watched; the training goes on", err=True)
        click.get_current_context().exit(stopped.exit_code)
    _tell(project, before, _newest(context, project))


def _newest(context: CommandContext, project: int) -> TrainingRun | None:
    return next(iter(context.store.runs.all(project)), None)


def _watch(context: CommandContext, project: int) -> None:
    """Return when the training has ended."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
    )
    told = ""
    with Progress(*columns, console=context.console) as bars:
        bar = bars.add_task("waiting", total=None, detail="")
        while context.context.patient_store.training.requested(project) is not None:
            stage = _show(context, project, bars, bar)
            if stage != told and not context.console.is_terminal:
                say(stage)  # a pipe sees no bar
            told = stage
            time.sleep(POLL_S)


def _show(context: CommandContext, project: int, bars: Progress, bar: TaskID) -> str:
    """Draw how far the training is; its stage."""
    progress = context.context.patient_store.training.progress(project)
    if progress is None:
        stage = (
            "waiting for its turn" if context.context.patient_store.workers.alive() else "waiting: no worker is alive"
        )
        bars.update(bar, description=stage, total=None, detail="")
        return stage
    detail = [f"{progress.step}/{progress.steps}"] if progress.steps else []
    if progress.loss is not None:
        detail.append(f"loss {progress.loss:.3f}")
    if progress.left_s is not None:
        detail.append(f"{duration(progress.left_s)} left")
    total = progress.steps or None
    bars.update(bar, description=progress.stage, total=total, completed=progress.step, detail=", ".join(detail))
    return progress.stage


def duration(seconds: float) -> str:
    """`1:05` for 65 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _tell(project: int, before: TrainingRun | None, run: TrainingRun | None) -> None:
    """Print how the run ended.

    Raises:
        TrainingRefused: it gave no version to serve; the message is the reason.
    """
    if run is None or (before is not None and run.id == before.id):
        raise TrainingRefused(f"project {project}: the training ended without a run: see the worker's log")
    name = run.version.name if run.version else f"run {run.id}"
    if run.state == "promoted":
        say(f"project {project}: {name} is live, trained on {run.examples} examples")
    elif run.state == "waiting":
        say(f"project {project}: {name} waits for a person: {run.reason or 'its gates passed'}")
        say(f"make it live: annotune models promote {project} {name}")
    else:
        raise TrainingRefused(f"project {project}: {name} {run.state}: {run.reason or 'see the worker log'}")
