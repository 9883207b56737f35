"""`annotune dataset`: datasets from annotations."""

from pathlib import Path
from typing import Any

import click
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from commands.context import PROJECT, CommandContext
from commands.dataset_check import check
from commands.dataset_show import show
from commands.dataset_stats import stats
from commands.output import PlainConsole, say
from curation.build import BuiltDataset


class PromptSource(click.ParamType[int | Path]):
    """A project's number, or a text file."""

    name = "project or file"

    def convert(self, value: int | Path | str, param: click.Parameter | None, ctx: click.Context | None) -> int | Path:
        if isinstance(value, str):
            return PROJECT.convert(value, param, ctx) if value.isdigit() else Path(value)
        return value


@click.group()
def dataset() -> None:
    """Make datasets of annotations, and look into them."""


for command in (check, show, stats):
    dataset.add_command(command)


@dataset.command()
@click.argument("projects", metavar="FROM...", type=PROJECT, nargs=-1, required=True)
@click.option("--out", "folder", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option(
    "--prompt",
    type=PromptSource(),
    help="The project whose prompt will be served, or a text file with the prompt. Else each project's own prompt.",
)
@click.option("--open-book", is_flag=True, help="Keep the source texts in the chats that ask.")
@click.option("--names", is_flag=True, help="Put the annotators' names into the rows.")
@click.option("--licence", default="", metavar="TEXT", help="For the dataset's card, such as cc-by-4.0.")
@click.option("--pin-ground-truth", is_flag=True, help="Hold out the tasks that have a ground truth.")
@click.pass_obj
def build(context: CommandContext, /, projects: tuple[int, ...], folder: Path, **options: Any) -> None:
    """Build a dataset from the annotations of the projects FROM. Again it replaces the dataset if something has changed.

    The chats ask the question alone, in the prompt that will be served, unless --open-book keeps the source texts.
    """
    with _bar(context.console) as bar:
        task = bar.add_task("tasks read", total=None)
        built = context.api.build_dataset(
            *projects, out=folder, on_tasks=lambda count: bar.update(task, completed=count), **options
        )
    _print(built)


def _bar(console: PlainConsole) -> Progress:
    columns = (TextColumn("{task.description}: {task.completed}", markup=False), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _print(built: BuiltDataset) -> None:
    manifest = built.manifest
    counts = f"{manifest.counts['train']} rows to train on, {manifest.counts['eval']} held out"
    say(f"{built.folder}: {counts}" if built.is_new else f"{built.folder}: nothing changed ({counts})")
    if manifest.left_out:
        say(f"left out: {', '.join(f'{count} {why}' for why, count in manifest.left_out.items())}")
    if manifest.similar_pairs:
        say(f"alike but for a rare word, and kept: {manifest.similar_pairs} pairs (see 'similar' in manifest.json)")
    for project, lacks in built.lacks.items():
        say(f"project {project}: what is new is not held out yet: {lacks}", err=True)
