"""The datasets that a training reads: folders that Annotune wrote, files, and datasets of the Hugging Face Hub."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from annotune.chat import Message
from annotune.errors import RequestInvalid
from annotune.prompt import Prompt
from annotune.runs import DatasetRef
from annotune.split import SplitName
from annotune.values import FrozenModel
from curation.lineage import Lineage
from curation.row_examples import ANSWER, QUESTION, AskedRow, RowExample, RowMaker, RowReason
from curation.sources.source import open_source

MANIFEST = "manifest.json"
SIDES: Mapping[str, SplitName] = {"train.jsonl": "train", "eval.jsonl": "eval"}
ROWS_LOOKED_AT = 20  # for their columns


@dataclass(frozen=True)
class RowSet:
    """The rows of a dataset as examples. `read` counts all of its rows, `left_out` those that are none, by reason."""

    ref: DatasetRef
    digest: str
    read: int
    rows: tuple[RowExample, ...]
    left_out: Mapping[RowReason, int]


class FolderManifest(FrozenModel):
    """What a training needs of the manifest of a folder that Annotune wrote."""

    digest: str


class FolderOrigin(FrozenModel):
    prompt_sha: str = ""


class FolderRow(FrozenModel):
    """A line of such a folder."""

    messages: tuple[Message, ...]
    question: str
    answer: str
    abstract_id: str | None = None
    origin: FolderOrigin = FolderOrigin()


def read_rows(ref: DatasetRef, maker: RowMaker, prompt: Callable[[], Prompt], first: int) -> RowSet:
    """Read a dataset whole.

    Args:
        ref: names the dataset.
        maker: makes the examples.
        prompt: the project's; called only if the dataset has no chats of its own.
        first: the number of its first row. Rows of one training have different numbers.

    Raises:
        NotFound: there is no such folder, file, dataset or split.
        RequestInvalid: it cannot be read, or lacks a column; the message names those that are there.
        SourceUnreachable: the Hub does not answer.
        PromptMissing: the project has no prompt.
    """
    folder = folder_of(ref)
    if folder is not None:
        digest = _manifest(folder).digest
        return _row_set(ref, digest, _folder_rows(folder, maker, first, ref.source))
    check_columns(ref)
    asked, seen = prompt(), hashlib.sha256()

    def made() -> Iterator[RowExample | RowReason]:
        source = open_source(ref.source, ref.split)
        for number, row in enumerate(source.rows(), first):
            data = _renamed(row.data, ref.columns)
            seen.update(json.dumps([data.get(QUESTION), data.get(ANSWER)]).encode())
            yield "unreadable" if row.bad else maker.ask(data, asked, number, ref.source)

    found = _row_set(ref, "", made())
    return RowSet(found.ref, seen.hexdigest(), found.read, found.rows, found.left_out)


def check_columns(ref: DatasetRef) -> None:
    """Look at the first rows of a dataset for the columns that a training needs.

    Raises:
        NotFound, RequestInvalid, SourceUnreachable: as `read_rows`.
    """
    if (folder := folder_of(ref)) is not None:
        _manifest(folder)
        return
    source = open_source(ref.source, ref.split)
    looked_at = [row.data for row in islice(source.rows(), ROWS_LOOKED_AT)]
    there = dict.fromkeys(name for data in looked_at for name in data)
    wanted = {name: ref.columns.get(name, name) for name in (QUESTION, ANSWER)}
    if lacking := [(name, column) for name, column in wanted.items() if column not in there]:
        name, column = lacking[0]
        named = ", ".join(repr(each) for each in there) or "none"
        raise RequestInvalid(
            f"{ref.source} has no column {column!r} for the {name}: it has {named}; say which one it is by"
            f" --map {name}=COLUMN"
        )


def folder_of(ref: DatasetRef) -> Path | None:
    """The folder, if it is one that Annotune wrote."""
    path = Path(ref.source).expanduser()
    return path if (path / MANIFEST).is_file() else None


def _manifest(folder: Path) -> FolderManifest:
    try:
        return FolderManifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise RequestInvalid(f"{folder / MANIFEST} is no manifest of a dataset: build the dataset again") from error


def _folder_rows(folder: Path, maker: RowMaker, number: int, source: str) -> Iterator[RowExample | RowReason]:
    for name, side in SIDES.items():
        try:
            with (folder / name).open(encoding="utf-8") as lines:
                for line in lines:
                    yield _folder_row(line, side, maker, number, source)
                    number += 1
        except (OSError, UnicodeDecodeError) as error:
            raise RequestInvalid(f"{folder / name} cannot be read: {error}: build the dataset again") from error


def _folder_row(line: str, side: SplitName, maker: RowMaker, number: int, source: str) -> RowExample | RowReason:
    try:
        row = FolderRow.model_validate_json(line)
    except ValidationError:
        return "unreadable"
    if not row.messages or not row.question.strip() or not row.answer.strip():
        return "empty"
    lineage = Lineage(abstract_id=row.abstract_id or "")
    return maker.keep(
        AskedRow(row.messages, row.question, row.answer, lineage, row.origin.prompt_sha, side), number, source
    )


def _row_set(ref: DatasetRef, digest: str, made: Iterator[RowExample | RowReason]) -> RowSet:
    rows: list[RowExample] = []
    left_out: Counter[RowReason] = Counter()
    for each in made:
        if isinstance(each, RowExample):
            rows.append(each)
        else:
            left_out[each] += 1
    return RowSet(ref, digest, len(rows) + left_out.total(), tuple(rows), left_out)


def _renamed(data: Mapping[str, object], columns: Mapping[str, str]) -> dict[str, object]:
    """A row under the names that it is read by. A column that another one's name is given to is left out."""
    given = {name: data.get(column) for name, column in columns.items()}
    return {name: value for name, value in data.items() if name not in columns.values()} | given
