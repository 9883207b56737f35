"""Rows of CSV files, whatever separates their cells."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from annotune.errors import RequestInvalid
from curation.sources.row import LONGEST_TEXT, SourceRow
from curation.sources.text import open_text

SEPARATORS = ",;\t|"
TAB = "\t"
LONGEST_LINE = 1_000_000  # of a header, in characters


def table_rows(path: Path, name: str, separator: str | None = None) -> Iterator[SourceRow]:
    """The rows of a CSV file, whose first line names the columns.

    A row with more or fewer cells than the header, or with a quote out of place, is bad; empty lines are passed over.

    Args:
        path: the file, perhaps packed by gzip.
        name: the file as the person named it.
        separator: between cells. None: the one that the header has most of.

    Raises:
        RequestInvalid: it cannot be read, has no header, or a quote swallows the rest of it.
    """
    with open_text(path, name, newline="") as text:
        first = text.readline(LONGEST_LINE)
        while first and not first.strip():
            first = text.readline(LONGEST_LINE)
        if first:
            yield from csv_rows(_lines(first, text), name, separator or separator_of(first))


def csv_rows(lines: Iterable[str], name: str, separator: str = ",") -> Iterator[SourceRow]:
    """The rows of CSV lines. Raises RequestInvalid as `table_rows`."""
    csv.field_size_limit(2 * LONGEST_TEXT)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
    except csv.Error as error:
        raise RequestInvalid(f"{name}: the first line, which names the columns, cannot be read: {error}") from error
    _check_header(header, name)
    number = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            number += 1
            if "field limit" in str(error):  # the reader has lost its place
                raise RequestInvalid(
                    f"{name}: a quote is opened in line {line} and not closed, or a cell is longer than"
                    f" {2 * LONGEST_TEXT:,} characters: fix that line"
                ) from error
            yield SourceRow(number, bad=_words(error), place=f"line {line}")
            continue
        if cells is None:
            return
        if not any(map(str.strip, cells)):
            continue
        number += 1
        yield _row(number, header, cells)


def separator_of(header: str) -> str:
    """What separates the cells of a header: the separator that it has most of outside quotes."""
    bare = "".join(header.split('"')[::2])
    return max(SEPARATORS, key=bare.count)


def _lines(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    yield from rest


def _check_header(header: list[str], name: str) -> None:
    doubled = sorted({column for column in header if column and header.count(column) > 1})
    if doubled:
        raise RequestInvalid(f"{name} has two columns named {doubled[0]!r}: rename one of them")
    if not any(header):
        raise RequestInvalid(f"{name} has no header: its first line must name the columns")


def _row(number: int, header: list[str], cells: list[str]) -> SourceRow:
    if len(cells) != len(header):
        shown = dict(zip(header, cells, strict=False))
        return SourceRow(number, shown, bad=f"has {len(cells)} cells, and the header has {len(header)}")
    return SourceRow.of(number, dict(zip(header, cells, strict=True)))


def _words(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "has a quote that is opened and never closed, so that the rest of the file is one row"
    return f"has a quote out of place ({error})"
