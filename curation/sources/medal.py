"""MeDAL: 14 million abstracts of PubMed, streamed out of the zips in its repository.

The repository is a loading script beside zips of CSV files, which `datasets` refuses to load. So the CSV is read here, by
HTTP ranges: the zip's directory at its end, then no more of the file than its rows need.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from pathlib import PurePosixPath
from typing import IO, Any

from annotune.errors import RequestInvalid
from curation.lineage import ABSTRACT_ID
from curation.sources.hub import split_of
from curation.sources.hub_errors import hub_errors
from curation.sources.row import SourceRow
from curation.sources.source import RowSource
from curation.sources.tables import csv_rows

NAME = "medal"
REPOSITORY = "McGill-NLP/medal"
FORMER_NAME = "medal"
FULL = "full"
# The names that a split's file may have in a zip.
MEMBERS = {
    "train": ("train.csv",),
    "validation": ("valid.csv", "validation.csv"),
    "test": ("test.csv",),
    FULL: ("full_data.csv", "full.csv"),
}
BLOCK = 4 << 20  # bytes of one request
BETWEEN = "|"  # of the words of one abstract


def medal(split: str | None = None) -> RowSource:
    """MeDAL's rows: `abstract_id`, `text`, `location` (places of abbreviations, in words), `label` (what they mean).

    The rows of the split `full` have no ids: a row is known by its text.

    Args:
        split: `train` (None means it), `validation`, `test` or `full`.

    Raises:
        NotFound: there is no such split.
    """
    chosen = split_of(NAME, list(MEMBERS), split)
    return RowSource(name=NAME, rows=partial(_rows, chosen), key="" if chosen == FULL else ABSTRACT_ID)


def _rows(split: str) -> Iterator[SourceRow]:
    with hub_errors(REPOSITORY), _member(split) as raw, TextIOWrapper(raw, "utf-8-sig", "surrogateescape", "") as text:
        for row in csv_rows(text, f"{NAME} ({split})"):
            yield row if row.bad else _abstract(row)


def _abstract(row: SourceRow) -> SourceRow:
    """A row under the names of the public description, whatever the case of the CSV's header."""
    cells = {name.lower(): value for name, value in row.data.items()}
    try:
        data: dict[str, Any] = {ABSTRACT_ID: int(cells[ABSTRACT_ID])} if ABSTRACT_ID in cells else {}
        data |= {
            "text": cells["text"],
            "location": [int(place) for place in cells["location"].split(BETWEEN)],
            "label": cells["label"].split(BETWEEN),
        }
    except KeyError as error:
        return SourceRow(row.number, row.data, bad=f"has no column {error.args[0]!r}")
    except ValueError:
        return SourceRow(row.number, row.data, bad="has an id or a place that is no number")
    return SourceRow(row.number, data)


@contextmanager
def _member(split: str) -> Iterator[IO[bytes]]:
    """The CSV file of a split, unpacked while it is read."""
    from huggingface_hub import HfFileSystem  # noqa: PLC0415 - it takes seconds

    system = HfFileSystem()
    try:
        paths = system.find(f"datasets/{REPOSITORY}")
    except FileNotFoundError:
        paths = system.find(f"datasets/{FORMER_NAME}")
    zips = [path for path in paths if path.lower().endswith(".zip")]
    for path in sorted(zips, key=lambda path: FULL in path, reverse=split == FULL):
        with system.open(path, "rb", block_size=BLOCK) as remote, zipfile.ZipFile(remote) as archive:
            name = next((each for each in archive.namelist() if _is_of(split, each)), None)
            if name is not None:
                with archive.open(name) as member:
                    yield member
                return
    raise RequestInvalid(
        f"no zip of {REPOSITORY} has a file for the split {split!r}, which is looked for by the names"
        f" {', '.join(MEMBERS[split])}: download the data, and give the CSV file"
    )


def _is_of(split: str, member: str) -> bool:
    path = PurePosixPath(member)
    return path.name.lower() in MEMBERS[split] and "__MACOSX" not in path.parts
