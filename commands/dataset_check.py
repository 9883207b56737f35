"""`annotune dataset check`: what in a dataset a person should look at."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from commands.context import CommandContext
from commands.output import PlainConsole, json_option, say, say_json
from curation.checks.finding import MEANING, Finding
from curation.dataset_check import DatasetCheck

SHOWN = 10
FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option(
    "--max-tokens",
    type=click.IntRange(1),
    help="A row of about so many tokens or more is too long. Else the recipe's max_seq_length.",
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    default=("US",),
    show_default=True,
    metavar="COUNTRY",
    help="Know phone numbers as they are written within this country, such as DE.",
)
@click.option("--names", metavar="MODEL", help="Look for names of persons with this model of spaCy.")
@json_option
@click.pass_obj
def check(context: CommandContext, /, folder: Path, *, as_json: bool, **options: Any) -> None:
    """Look in the dataset DIR for what a person should see. Nothing is changed, and no personal data is printed.

    Exit code 0: nothing was found but questions that look alike. 1: something was found.
    """
    with _bar(context.console) as bar:
        task = bar.add_task("rows checked", total=None)
        found = context.api.check_dataset(folder, on_rows=lambda count: bar.update(task, completed=count), **options)
    if as_json:
        say_json([*map(_object, found.findings), *_left_out(found)])
    else:
        _print(folder, found)
    for note in found.notes:
        say(note, err=True)
    if not found.is_clean:
        click.get_current_context().exit(1)


def _bar(console: PlainConsole) -> Progress:
    columns = (TextColumn("{task.description}: {task.completed}", markup=False), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _object(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind,
        "rows": finding.rows,
        "field": finding.field,
        "text": finding.text,
    }


def _left_out(found: DatasetCheck) -> list[dict[str, object]]:
    ids = found.manifest.left_out_annotations
    return [
        {"kind": "left out", "reason": why, "count": count, "annotations": ids.get(why, ())}
        for why, count in found.manifest.left_out.items()
    ]


def _print(folder: Path, found: DatasetCheck) -> None:
    counts = found.manifest.counts
    say(f"{folder}: {counts.get('train', 0)} rows to train on, {counts.get('eval', 0)} held out")
    number = sum(found.counts.values())
    say(f"{number} finding{'s' * (number > 1)}" if number else "nothing was found")
    for kind, findings in groupby(found.findings, key=lambda each: each.kind):
        say(f"{kind}: {found.counts[kind]} ({MEANING[kind]})")
        _print_findings(list(findings), found.counts[kind])
    for why, count in found.manifest.left_out.items():
        ids = found.manifest.left_out_annotations.get(why, ())
        say(f"left out: {count} {why}" + (f": annotations {', '.join(map(str, ids))}" if ids else ""))


def _print_findings(findings: Sequence[Finding], count: int) -> None:
    for each in findings[:SHOWN]:
        rows = f"row{'s' * (len(each.rows) > 1)} {', '.join(map(str, each.rows[:SHOWN]))}"
        more = f" and {len(each.rows) - SHOWN} more" if len(each.rows) > SHOWN else ""
        say("  " + ", ".join(filter(None, [rows + more, each.field, each.text])))
    if count > SHOWN:
        say(f"  and {count - SHOWN} more: --json lists {'all' if count <= len(findings) else f'{len(findings)}'}")
