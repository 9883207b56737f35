"""`annotune predictions`: the predictions that Label Studio stores."""

from collections.abc import Sequence

import click

from commands.context import PROJECT, CommandContext
from commands.output import say

IDS_SHOWN = 10


@click.group()
def predictions() -> None:
    """Repair the predictions that Label Studio stores."""


@predictions.command()
@click.argument("project", type=PROJECT)
@click.option("--dry-run", is_flag=True, help="Show what would be repaired. Nothing changes.")
@click.pass_obj
def repair(context: CommandContext, project: int, *, dry_run: bool) -> None:
    """Repair spans behind emoji in the predictions of PROJECT.

    Only predictions of Annotune change. Annotations with such spans are listed, for a person to correct.
    """
    report = context.api.repair_predictions(project, dry_run=dry_run)
    done = "predictions that would be repaired" if dry_run else "predictions repaired"
    say(f"project {project}: tasks read: {report.tasks}; {done}: {_listed(report.repaired)}")
    if report.foreign:
        say(f"predictions of other tools with such spans, which stay: {_listed(report.foreign)}", err=True)
    for task, annotation in report.annotations:
        say(f"task {task}: annotation {annotation} has such spans: open it, delete them and draw them anew")
    for reason, ids in report.failed.items():
        say(f"predictions not repaired: {_listed(ids)}: {reason}", err=True)
    click.get_current_context().exit(1 if report.failed else 0)


def _listed(ids: Sequence[int]) -> str:
    """Number and ids: `2 (203, 577)`."""
    more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
    return f"{len(ids)} ({', '.join(map(str, ids[:IDS_SHOWN]))}{more})" if ids else "0"
