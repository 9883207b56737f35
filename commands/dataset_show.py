"""`annotune dataset show`: rows of a dataset, to read at a terminal."""

import difflib
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click

from annotune.errors import NotFound
from annotune.split import SplitName
from commands.context import CommandContext
from commands.dataset_check import FOLDER
from commands.output import json_option, say, say_json, say_styled
from curation.dataset_reader import DatasetReader, DatasetRow

ROWS = 10
Part = tuple[str, str]
"""A text and its style."""
_WORD = re.compile(r"\s+|\w+|[^\w\s]")
# Comparing word by word takes the square of their number.
_MOST_WORDS = 3000
_REWRITTEN = 0.5  # of a text that shares fewer of its words and blanks, both versions are shown whole


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.argument("ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--split", type=click.Choice(["train", "eval"]), help="Only rows to train on, or only held-out ones.")
@click.option(
    "--limit", default=ROWS, show_default=True, type=click.IntRange(1), help="Show so many rows, if no ID is given."
)
@click.option("--reason", help="Show instead which annotations were left out for this reason.")
@json_option
@click.pass_obj
def show(
    context: CommandContext,
    folder: Path,
    ids: tuple[int, ...],
    *,
    split: SplitName | None,
    limit: int,
    reason: str | None,
    as_json: bool,
) -> None:
    """Show rows of the dataset DIR: all of those with these IDs, else the first ones.

    A correction shows [-what the model had said-] and {+what the person wrote+}. Write -- before an ID below zero.
    """
    if reason is not None:
        _print_left_out(folder, reason, as_json=as_json)
        return
    rows = islice(context.api.dataset_rows(folder, ids, split=split), None if ids else limit)
    if as_json:
        say_json([row.model_dump(mode="json") for row in rows])
        return
    for number, row in enumerate(rows):
        if number:
            say()
        for line in _lines(row):
            say_styled(context.console, line)


def _print_left_out(folder: Path, reason: str, *, as_json: bool) -> None:
    left_out = DatasetReader(folder).manifest.left_out_annotations
    if reason not in left_out:
        known = ", ".join(map(repr, left_out)) or "none"
        raise NotFound(f"nothing was left out for the reason {reason!r}: the reasons are {known}")
    if as_json:
        say_json([{"reason": reason, "annotation": number} for number in left_out[reason]])
    else:
        say("\n".join(map(str, left_out[reason])))


def _lines(row: DatasetRow) -> Iterator[list[Part]]:
    yield [(f"row {row.id} ({'held out' if row.split == 'eval' else 'train'}): {_origin(row)}", "bold")]
    yield [("question: ", "bold"), (row.question, "")]
    said = row.origin.said
    yield [("answer: ", "bold"), *difference(row.answer if said is None else said, row.answer)]


def _origin(row: DatasetRow) -> str:
    origin = row.origin
    if origin.dataset:
        return f"from the dataset {origin.dataset}"
    parts = [f"{origin.kind} by annotator {origin.annotator or 'unknown'}"]
    if origin.drafted_by:
        parts.append(f"drafted by {origin.drafted_by}")
    if origin.edit_distance:
        parts.append(f"{origin.edit_distance} characters changed")
    parts.append(f"project {origin.project}, task {origin.task}, annotation {origin.annotation}")
    if row.abstract_id:
        parts.append(f"text {row.abstract_id}")
    if origin.source_task:
        parts.append(f"made from task {origin.source_task} of project {origin.source_project}")
    return " ".join(", ".join(parts).splitlines())


def difference(before: str, after: str) -> list[Part]:
    """A text with what was taken away and what was added, marked by signs and by colour."""
    first, second = _WORD.findall(before), _WORD.findall(after)
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    if max(len(first), len(second)) > _MOST_WORDS or (before != after and matcher.ratio() < _REWRITTEN):
        first, second = [before], [after]
        matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    made = []
    for tag, start, end, begin, stop in matcher.get_opcodes():
        gone, come = "".join(first[start:end]), "".join(second[begin:stop])
        if tag == "equal":
            made.append((come, ""))
            continue
        if gone:
            made.append((f"[-{gone}-]", "red"))
        if come:
            made.append((f"{{+{come}+}}", "green"))
    return made
