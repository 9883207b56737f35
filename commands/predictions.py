"""`annotune predictions`: what Label Studio stores of our answers."""

from collections.abc import Sequence

import click

from annotune.errors import LabelStudioError, LabelStudioUnreachable, NotFound
from commands.context import PROJECT, CommandContext
from commands.output import say
from curation.span_repair import ShiftedSpans, shifted_spans

IDS_TOLD = 10


@click.group()
def predictions() -> None:
    """Look after the predictions that Label Studio stores."""


@predictions.command()
@click.argument("project", type=PROJECT)
@click.option("--dry-run", is_flag=True, help="Tell what would be changed; change nothing.")
@click.pass_obj
def repair(context: CommandContext, project: int, *, dry_run: bool) -> None:
    """Put spans of PROJECT's predictions in their places, behind emoji.

    Only predictions of ours change. Annotations are people's: those with such spans are listed. Again changes nothing.
    """
    labeling = context.context.labeling(context.context.project(project).label_config)
    read = 0
    repaired: list[int] = []
    foreign: list[int] = []
    annotations: list[tuple[int, int]] = []
    failed: dict[str, list[int]] = {}
    for task in context.studio.tasks.by_id(project):
        read += 1
        found = shifted_spans(labeling, task)
        foreign += found.foreign
        annotations += [(found.task, id_) for id_ in found.annotations]
        repaired += _repair(context, found, failed, dry_run=dry_run)
    done = "predictions that would be repaired" if dry_run else "predictions repaired"
    say(f"project {project}: tasks read: {read}; {done}: {_told(repaired)}")
    if foreign:
        say(f"predictions of other tools with such spans, which stay: {_told(foreign)}", err=True)
    for task_id, annotation in annotations:
        say(f"task {task_id}: annotation {annotation} has such spans: open it, delete them and draw them anew")
    for reason, ids in failed.items():
        say(f"predictions not repaired: {_told(ids)}: {reason}", err=True)
    click.get_current_context().exit(1 if failed else 0)


def _repair(context: CommandContext, found: ShiftedSpans, failed: dict[str, list[int]], *, dry_run: bool) -> list[int]:
    """The ids of the predictions that are put right now, or would be."""
    done = []
    for id_, regions in found.repaired.items():
        try:
            if not dry_run:
                context.studio.predictions.replace_regions(found.task, id_, regions)
        except LabelStudioUnreachable:
            raise
        except NotFound:  # deleted since the page was read
            continue
        except LabelStudioError as error:
            failed.setdefault(str(error), []).append(id_)
        else:
            done.append(id_)
    return done


def _told(ids: Sequence[int]) -> str:
    """How many, and which."""
    more = f" and {len(ids) - IDS_TOLD} more" if len(ids) > IDS_TOLD else ""
    return f"{len(ids)} ({', '.join(map(str, ids[:IDS_TOLD]))}{more})" if ids else "0"
