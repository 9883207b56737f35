"""Reads the folder of a dataset row by row."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from annotune.chat import Message
from annotune.errors import NotFound, RequestInvalid
from annotune.split import SplitName
from annotune.values import FrozenModel
from curation.dataset import SIDES
from curation.example import Example, Origin
from curation.manifest import DatasetManifest, read_manifest


class DatasetRow(Example):
    """A row of a dataset. `id` is its annotation's number, negative for a row that comes from another dataset."""

    id: int
    split: SplitName

    @property
    def texts(self) -> Iterator[tuple[str, str]]:
        """The texts of the row with the names of their fields: question, answer, the chat, and what a model had said."""
        yield "question", self.question
        yield "answer", self.answer
        for number, message in enumerate(self.messages):
            yield f"messages[{number}]", message.content
        if self.origin.said is not None:
            yield "origin.said", self.origin.said


class _Line(FrozenModel):
    """A line as it stands in a file."""

    id: int
    messages: tuple[Message, ...]
    question: str
    answer: str
    abstract_id: str | None = None
    origin: Origin


class DatasetReader:
    """The rows of one dataset."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest.

        Raises:
            RequestInvalid: the folder is no dataset that Annotune wrote.
        """
        self.folder = folder
        self.manifest: DatasetManifest = read_manifest(folder)

    def rows(self, splits: Iterable[SplitName] = SIDES) -> Iterator[DatasetRow]:
        """The rows of these splits, one after the other. One row is in memory at a time.

        Raises:
            RequestInvalid: a file cannot be read, or a line in it is no row.
        """
        for split in splits:
            path = self.folder / f"{split}.jsonl"
            try:
                with path.open("rb") as lines:
                    for number, line in enumerate(lines, start=1):
                        yield _row(line, split, path, number)
            except OSError as error:
                raise RequestInvalid(
                    f"{str(path)!r} cannot be read ({error.strerror}): build the dataset again"
                ) from error


def _row(line: bytes, split: SplitName, path: Path, number: int) -> DatasetRow:
    try:
        read = _Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise RequestInvalid(
            f"line {number} of {str(path)!r} is no row of a dataset ({what}): build the dataset again"
        ) from error
    return DatasetRow.model_construct(split=split, **dict(read))


def read_rows(folder: Path, ids: Iterable[int] = (), split: SplitName | None = None) -> Iterator[DatasetRow]:
    """The rows of a dataset that have these ids; without any, all rows. `split` None: those of both splits.

    Raises:
        RequestInvalid: as `DatasetReader`.
        NotFound: rows are not there; all others were returned before.
    """
    wanted, missing = set(ids), set(ids)
    for row in DatasetReader(folder).rows(SIDES if split is None else (split,)):
        if row.id in wanted or not wanted:
            missing.discard(row.id)
            yield row
    if missing:
        named = ", ".join(map(str, sorted(missing)))
        raise NotFound(f"{str(folder)!r} has no row {named}" + (f" in {split}" if split else ""))
