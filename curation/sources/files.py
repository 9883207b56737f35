"""Files and folders as sources, by their names' endings."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from annotune.errors import RequestInvalid
from curation.sources.json_files import json_rows, line_rows
from curation.sources.parquet import parquet_rows, parquet_total
from curation.sources.row import SourceRow
from curation.sources.source import RowSource
from curation.sources.tables import TAB, table_rows
from curation.sources.text import GZIP
from curation.sources.texts import file_rows, paragraph_rows

Reader = Callable[[Path, str], Iterator[SourceRow]]
PARQUET = ".parquet"
READERS: dict[str, Reader] = {
    ".csv": table_rows,
    ".tsv": partial(table_rows, separator=TAB),
    ".json": json_rows,
    ".jsonl": line_rows,
    ".ndjson": line_rows,
    PARQUET: parquet_rows,
    ".txt": paragraph_rows,
}
TEXT = ".txt"


def is_file_name(name: str) -> bool:
    """Whether a name has the ending of a file that can be read."""
    return _ending(Path(name)) in READERS


def open_path(path: Path, name: str) -> RowSource:
    """A file or a folder as a source.

    Raises:
        RequestInvalid: no rows can be read from it; the message says from what they can.
    """
    if path.is_dir():
        return _folder(path, name)
    reader = READERS.get(_ending(path))
    if reader is None or (reader is parquet_rows and path.suffix.lower() == GZIP):
        raise RequestInvalid(
            f"{name} has no ending that tells what it is: name it {', '.join(READERS)}, or one of them and {GZIP}"
        )
    total = parquet_total(path) if reader is parquet_rows else None
    return RowSource(name=name, rows=partial(reader, path, name), total=total)


def _folder(path: Path, name: str) -> RowSource:
    """All texts of a folder and of the folders within, in the order of their names."""
    files = sorted(each for each in path.rglob("*") if each.suffix.lower() == TEXT and each.is_file())
    if not files:
        others = sorted(each.name for each in path.iterdir() if is_file_name(each.name))
        hint = f": give one of its files, such as {path / others[0]}" if others else f": put {TEXT} files into it"
        raise RequestInvalid(f"the folder {name} has no texts{hint}")
    return RowSource(name=name, rows=partial(file_rows, files, path), total=len(files))


def _ending(path: Path) -> str:
    bare = path.with_suffix("") if path.suffix.lower() == GZIP else path
    return bare.suffix.lower()
