"""`annotune train`: request a training, and watch it."""

from collections.abc import Mapping, Sequence

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from annotune import runs
from annotune.errors import TrainingRefused
from annotune.runs import TrainingRun
from commands.columns import columns_option
from commands.context import PROJECT, CommandContext
from commands.output import PlainConsole, say
from commands.signals import Stopped, stoppable
from curation.training import RequestedTraining


@click.command()
@click.argument("project", type=PROJECT)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="DIR|NAME",
    help="Train on a dataset as well: a folder that 'dataset build' wrote, a file, or a name on the Hugging Face Hub. The"
    " worker reads it, so a path must be one that the worker sees. May be given several times.",
)
@columns_option
@click.option("--split", help="The split of a dataset on the Hub. Without it: train, or the only one.")
@click.option("--without-annotations", is_flag=True, help="Train on the datasets alone.")
@click.option("--no-wait", is_flag=True, help="Return at once.")
@click.pass_obj
def train(
    context: CommandContext,
    project: int,
    *,
    datasets: Sequence[str],
    columns: Mapping[str, str],
    split: str | None,
    without_annotations: bool,
    no_wait: bool,
) -> None:
    """Request a training of a new version for PROJECT, and watch it. Ctrl-C (or SIGTERM) ends the watching only."""
    training = context.api.train(
        project, datasets, columns=columns, split=split, with_annotations=not without_annotations
    )
    for path in training.unseen:
        say(f"{path} is not on this machine: it must be there where the worker runs", err=True)
    say(f"project {project}: a training is {'queued' if training.is_new else 'requested or running already'}")
    if training.lacks:
        say(f"when the worker last read Label Studio: {training.lacks}", err=True)
    if not training.has_worker:
        say("no worker is alive: the training waits until 'annotune worker' runs", err=True)
    if no_wait:
        return
    try:
        with stoppable():
            _watch(context.console, training)
    except Stopped as stopped:
        say(f"project {project}: no longer watched; the training goes on", err=True)
        click.get_current_context().exit(stopped.exit_code)
    print_result(training.result())


def _watch(console: PlainConsole, training: RequestedTraining) -> None:
    """Show the progress until the training has ended: as a bar, or as a line for each stage without a terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
    )
    stage = ""
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("waiting", total=None, detail="")
        for progress in training.watch():
            total = progress.steps or None
            bars.update(bar, description=progress.stage, total=total, completed=progress.step, detail=_detail(progress))
            if progress.stage != stage and not console.is_terminal:
                say(progress.stage)
            stage = progress.stage


def _detail(progress: runs.Progress) -> str:
    details = [f"{progress.step}/{progress.steps}"] if progress.steps else []
    if progress.loss is not None:
        details.append(f"loss {progress.loss:.3f}")
    if progress.left_s is not None:
        details.append(f"{duration(progress.left_s)} left")
    return ", ".join(details)


def duration(seconds: float) -> str:
    """`1:05` for 65 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def print_result(run: TrainingRun) -> None:
    """Print how the run ended.

    Raises:
        TrainingRefused: no version can be served; the message is the reason.
    """
    project, name = run.project, run.version.name if run.version else f"run {run.id}"
    if run.state == "promoted":
        say(f"project {project}: {name} is live, trained on {run.examples} examples")
        _print_datasets(run)
    elif run.state == "waiting":
        say(f"project {project}: {name} waits for a person: {run.reason or 'its gates passed'}")
        say(f"make it live: annotune models promote {project} {name}")
        _print_datasets(run)
    else:
        raise TrainingRefused(f"project {project}: {name} {run.state}: {run.reason or 'see the worker log'}")


def _print_datasets(run: TrainingRun) -> None:
    """Print what became of the rows of each dataset."""
    for found in run.datasets:
        left_out = "".join(f", {count} {why}" for why, count in found.left_out.items())
        say(f"{found.source}: {found.rows} rows: {found.trained} trained, {found.held_out} held out{left_out}")
