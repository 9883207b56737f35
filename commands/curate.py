"""`annotune curate`: what people accepted in one project, as tasks of another one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice

import click

from commands.context import PROJECT, CommandContext
from commands.output import first_line, json_option, say, say_json
from curation.moved_tasks import Concern, Concerned
from curation.transfer import Transfer

SHOWN = 10
SAID: Mapping[Concern, str] = {
    "changed": "its source was corrected after somebody began with it, and now says: {now}",
    "gone": "its question is no longer in its source",
    "deleted": "the annotation that it was made from is gone, or no longer counts",
    "doubled": "its source was corrected to a question that another task asks: {now}",
}


@click.group()
def curate() -> None:
    """Make tasks of what people accepted in another project."""


@curate.command()
@click.argument("source", metavar="FROM", type=PROJECT)
@click.argument("target", metavar="TO", type=PROJECT)
@click.option("--dry-run", is_flag=True, help="Show what would be done. Nothing changes.")
@json_option
@click.pass_obj
def questions(context: CommandContext, source: int, target: int, *, dry_run: bool, as_json: bool) -> None:
    """Make a task in TO for each question that people accepted in FROM. Run it again, and only what is new is moved.

    A question that was corrected in FROM is corrected in TO, if nobody began with its task yet. All else that changed is
    listed for a person; nothing is deleted.
    """
    done = context.api.curate_questions(source, target, dry_run=dry_run, notice=lambda text: say(text, err=True))
    if as_json:
        say_json([_object(done)])
    else:
        _print(done)


def _object(done: Transfer) -> dict[str, object]:
    found = asdict(done)
    return (
        found
        | {"moved": len(done.moved), "updated": len(done.updated)}
        | {
            "moved_tasks": [] if done.dry_run else done.moved,
            "updated_tasks": done.updated,
        }
    )


def _print(done: Transfer) -> None:
    would = "would be " if done.dry_run else ""
    say(
        f"project {done.source}: {done.lists} accepted lists; project {done.target}: {len(done.moved)} questions"
        f" {would}moved, {done.there} there already, {len(done.updated)} {would}updated"
    )
    if done.dropped:
        say(f"dropped: {_counted(done.dropped)}")
    for double in islice(done.doubles, SHOWN):
        where = f"task {double.task}" if double.task else "a task that is new"
        say(
            f"task {double.source_task}: {first_line(double.question)!r} asks what {where} asks: {first_line(double.like)!r}"
        )
    _print_more(done.doubles)
    if done.left_out:
        say(f"annotations left out: {_counted(done.left_out)}")
    for concerned in islice(done.concerned, SHOWN):
        say(_said(concerned), err=True)
    _print_more(done.concerned, err=True)
    if done.changed_nothing:
        say("nothing to do: all questions are there")


def _said(concerned: Concerned) -> str:
    said = SAID[concerned.concern].format(now=repr(first_line(concerned.now)))
    return f"for a person: task {concerned.task} (of task {concerned.source_task}): {said}: {concerned.address}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())


def _print_more(items: Sequence[object], *, err: bool = False) -> None:
    if len(items) > SHOWN:
        say(f"and {len(items) - SHOWN} more: --json lists all", err=err)
