"""`annotune dataset stats`: counts and lengths of a dataset, at a terminal and as a page."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import click

from annotune.errors import RequestInvalid
from annotune.files import atomic_write
from commands.context import CommandContext
from commands.dataset_check import FOLDER
from commands.output import PlainConsole, first_line, json_option, say, say_json
from commands.stats_page import stats_page
from curation.dataset_stats import DatasetStats, Distribution

PIPE_BAR, LONGEST_BAR, SHORTEST_BAR = 40, 60, 4  # columns
SHOWN = 20
_EIGHTHS = " ▏▎▍▌▋▊▉"


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option(
    "--html", "page", metavar="FILE", type=click.Path(path_type=Path), help="Write a page with the histograms too."
)
@json_option
@click.pass_obj
def stats(context: CommandContext, folder: Path, *, page: Path | None, as_json: bool) -> None:
    """Count the rows of the dataset DIR: how their answers came to be, models, annotators, labels and lengths."""
    found = context.api.dataset_stats(folder)
    if page is not None:
        try:
            atomic_write(page, stats_page(folder.resolve().name, found))
        except OSError as error:
            raise RequestInvalid(f"the page {str(page)!r} cannot be written: {error.strerror}") from error
    if as_json:
        say_json([_object(found)])
    else:
        for line in _lines(folder, found, context.console):
            say(line)


def _object(found: DatasetStats) -> dict[str, object]:
    facts = {name: value for name, value in asdict(found).items() if name != "manifest"}
    return {"digest": found.manifest.digest} | facts | {"left_out": found.manifest.left_out}


def _lines(folder: Path, found: DatasetStats, console: PlainConsole) -> Iterator[str]:
    yield f"{folder}: {found.rows['train']} rows to train on, {found.rows['eval']} held out"
    counts = {"answers": found.kinds, "drafted by": found.models, "annotators": found.annotators}
    counts |= {"prompts": found.prompts} | {f"labels of {name}": labels for name, labels in found.labels.items()}
    counts["left out"] = found.manifest.left_out
    for title, each in counts.items():
        if each:
            yield f"{title}: {_counted(each)}"
    if found.edits.count:
        yield f"characters changed in a correction: {_summary(found.edits)}"
    for name, lengths in found.lengths.items():
        if lengths.count:
            yield f"characters of {name}: {_summary(lengths)}"
            yield from bars(lengths, console)


def _counted(counts: Mapping[str, int]) -> str:
    listed = ", ".join(f"{first_line(name)}: {count}" for name, count in list(counts.items())[:SHOWN])
    return listed + (f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else "")


def _summary(values: Distribution) -> str:
    return f"median {values.median}, 95% at most {values.p95}, largest {values.largest}"


def bars(values: Distribution, console: PlainConsole) -> Iterator[str]:
    """A histogram as lines with bars that fit the terminal."""
    labels = [f"{each.start}+" if each.stop is None else f"{each.start}-{each.stop - 1}" for each in values.bins]
    most = max(each.count for each in values.bins)
    left, right = max(map(len, labels)), len(str(most))
    room = console.width - left - right - 5 if console.is_terminal else PIPE_BAR
    width = min(LONGEST_BAR, max(SHORTEST_BAR, room))
    for label, each in zip(labels, values.bins, strict=True):
        drawn = _bar(each.count / most * width, fine=console.encoding.startswith("utf"))
        yield f"  {label:>{left}} {drawn} {each.count}".rstrip()


def _bar(length: float, *, fine: bool) -> str:
    """A bar of so many columns. What is there has a mark, however small it is."""
    if not fine:
        return "#" * max(round(length), length > 0)
    eighths = max(round(length * 8), length > 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
