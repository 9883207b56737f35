"""`annotune project agreement`: how far a project's annotators agree."""

import csv
import io
from collections.abc import Iterator, Mapping

import click

from commands.context import PROJECT, CommandContext
from commands.output import json_option, say, say_json, say_raw, say_table, table_of
from curation.agreement import Agreement, ControlAgreement, PairAgreement

COLUMNS = ("project", "control", "measure", "first", "second", "tasks", "value", "reason")


@click.command()
@click.argument("project", type=PROJECT)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print rows that a spreadsheet reads instead.")
@click.option("--names", is_flag=True, help="Name the annotators. Without it they are numbers.")
@click.pass_obj
def agreement(context: CommandContext, project: int, *, as_json: bool, as_csv: bool, names: bool) -> None:
    """Measure how far the annotators of PROJECT agree: all together, and each two of them.

    For choices and ratings it is Krippendorff's alpha, which is 1 for perfect agreement and 0 for chance. For texts it is
    the mean similarity, from 0 to 1.
    """
    measured = context.api.agreement(project, names=names)
    rows = list(_rows(measured))
    if as_json:
        say_json(rows)
    elif as_csv:
        say_raw(_csv(rows).rstrip("\n"))
    else:
        table = table_of("control", "annotators", "tasks", "measure", "agreement")
        for row in rows:
            table.add_row(*_cells(row))
        say_table(context.console, table)
        say(f"annotated tasks: {_annotators(measured) or 'none'}")


def _rows(measured: Agreement) -> Iterator[dict[str, object]]:
    for control in measured.controls:
        yield _row(measured, control, control, None)
        for pair in control.pairs:
            yield _row(measured, control, pair, (pair.first, pair.second))


def _row(
    measured: Agreement,
    control: ControlAgreement,
    found: ControlAgreement | PairAgreement,
    pair: tuple[int, int] | None,
) -> dict[str, object]:
    """A row of the output; without a pair it is about all annotators."""
    first, second = ([measured.names.get(each, each) for each in pair]) if pair else (None, None)
    value = None if found.value is None else round(found.value, 3)
    told = (measured.project, control.control, control.measure, first, second, found.tasks, value, found.why)
    return dict(zip(COLUMNS, told, strict=True))


def _cells(row: Mapping[str, object]) -> tuple[str, ...]:
    people = "all" if row["first"] is None else f"{row['first']} and {row['second']}"
    value = row["reason"] if row["value"] is None else f"{row['value']:.2f}"
    return str(row["control"]), people, str(row["tasks"]), str(row["measure"]), str(value)


def _csv(rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _annotators(measured: Agreement) -> str:
    return ", ".join(f"{measured.names.get(each, each)}: {tasks}" for each, tasks in measured.annotators.items())
