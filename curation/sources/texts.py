"""Rows of plain text: one for each file of a folder, or one for each paragraph of a single file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from annotune.errors import RequestInvalid
from curation.sources.row import LONGEST_TEXT, SourceRow
from curation.sources.text import open_text

TEXT = "text"
FILE = "file"


def paragraph_rows(path: Path, name: str) -> Iterator[SourceRow]:
    """A row for each paragraph, which ends at an empty line. Raises RequestInvalid where the file cannot be read."""
    number, lines, length = 0, list[str](), 0
    with open_text(path, name) as text:
        while line := text.readline(LONGEST_TEXT + 1):
            if line.strip():
                length += len(line)
                lines += [line] if length <= 2 * LONGEST_TEXT else []  # what is longer is a bad row anyway
            elif lines:
                number += 1
                yield _row(number, lines)
                lines, length = [], 0
    if lines:
        yield _row(number + 1, lines)


def file_rows(files: Sequence[Path], folder: Path) -> Iterator[SourceRow]:
    """A row for each file: its text, and its name within the folder. An empty file is passed over."""
    number = 0
    for path in files:
        place = path.relative_to(folder).as_posix()
        try:
            with open_text(path, place) as text:
                read = text.read(LONGEST_TEXT + 1)
        except RequestInvalid as error:
            number += 1
            yield SourceRow(number, {FILE: place}, bad=str(error))
            continue
        if read.strip():
            number += 1
            yield SourceRow.of(number, {TEXT: read.strip(), FILE: place})


def _row(number: int, lines: Sequence[str]) -> SourceRow:
    return SourceRow.of(number, {TEXT: "".join(lines).strip()})
