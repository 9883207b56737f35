"""`annotune import`: rows of a file or a dataset become tasks."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from commands.columns import columns_option
from commands.context import PROJECT, CommandContext
from commands.output import PlainConsole, say
from commands.signals import Stopped, stoppable
from curation.importing import ImportCounts, shuffle_notice

REASONS_SHOWN = 5
LINE_EVERY = 10_000  # rows, where no terminal shows a bar


@click.command(name="import")
@click.argument("project", type=PROJECT)
@click.argument("source")
@click.option("--limit", type=click.IntRange(min=1), help="Take no more rows of the source than this.")
@click.option("--shuffle", type=click.IntRange(min=0), metavar="SEED", help="Take rows in an order that SEED decides.")
@columns_option
@click.option("--split", help="The split of a dataset; default: train, or the only one.")
@click.option(
    "--bad-rows",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file for rows that cannot be tasks; default: bad-rows-PROJECT.jsonl.",
)
@click.pass_obj
def import_rows(
    context: CommandContext,
    project: int,
    source: str,
    *,
    limit: int | None,
    shuffle: int | None,
    columns: Mapping[str, str],
    split: str | None,
    bad_rows: Path | None,
) -> None:
    """Make tasks of PROJECT from the rows of SOURCE. Run again, it adds only rows that are no tasks yet.

    SOURCE is a file (CSV, JSON, JSON lines, Parquet, text), a folder of texts, a dataset of the Hugging Face Hub such as
    ngram/medchat-qa or NAME:CONFIGURATION, or medal. Exit code 1: some rows cannot be tasks.
    """
    if shuffle is not None:
        say(shuffle_notice(shuffle))
    try:
        with stoppable(), _progress(context.console) as show:
            counts = context.api.import_rows(
                project,
                source,
                split=split,
                limit=limit,
                shuffle=shuffle,
                columns=columns,
                bad_rows=bad_rows or Path(f"bad-rows-{project}.jsonl"),
                on_progress=show,
                notice=lambda sentence: say(sentence, err=True),
            )
    except Stopped as stopped:
        say("interrupted: run it again, and it goes on", err=True)
        click.get_current_context().exit(stopped.exit_code)
    _print_counts(project, source, counts)
    click.get_current_context().exit(1 if counts.bad else 0)


@contextmanager
def _progress(console: PlainConsole) -> Iterator[Callable[[ImportCounts], None]]:
    """Yields a function that shows how far an import is: as a bar, or as a line now and then without a terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    said = 0
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        bar = bars.add_task("", total=None)

        def show(counts: ImportCounts) -> None:
            nonlocal said
            bars.update(bar, total=counts.total, completed=counts.read, description=f"{counts.imported:,} imported")
            if not console.is_terminal and counts.read >= said + LINE_EVERY:
                said = counts.read
                say(f"{counts.read:,} rows read, {counts.imported:,} imported")

        yield show


def _print_counts(project: int, source: str, counts: ImportCounts) -> None:
    parts = {"there already": counts.present, "doubled in the source": counts.doubled, "bad": counts.bad_count}
    others = "".join(f", {number:,} {what}" for what, number in parts.items() if number)
    say(f"project {project}: {_rows(counts.read)} of {source} read, {counts.imported:,} imported{others}")
    if not counts.imported:
        say("nothing changed")
    if counts.left_out:
        say(
            f"no task has the columns {', '.join(counts.left_out)}: fields of these names say what a task was made from;"
            f" keep one as in --map topic={counts.left_out[0]}",
            err=True,
        )
    _print_bad(counts.bad)
    if counts.bad_rows:
        say(f"the bad rows are in {counts.bad_rows}: correct them there or in the source, and import again", err=True)


def _print_bad(bad: Mapping[str, int]) -> None:
    ordered = sorted(bad.items(), key=lambda item: -item[1])
    for reason, number in islice(ordered, REASONS_SHOWN):
        say(f"{_rows(number)}: {reason}", err=True)
    if len(ordered) > REASONS_SHOWN:
        say(f"and {len(ordered) - REASONS_SHOWN} other reasons", err=True)


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"
