"""The rows of a dataset that is being built: their texts lie on disk, and a few numbers of each in memory."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class RowKey:
    """What decides a row's side and its place, and what the manifest counts.

    `text_sha` and `group_sha` are those of `TaskOutcome`. `is_ground_truth`: somebody marked an annotation of its task so.
    `asked` is the sha of the prompt in its chat, `answered` that of the prompt which its annotation answers.
    """

    project: int
    task: int
    annotation: int
    text_sha: str
    group_sha: str
    asked: str = ""
    answered: str = ""
    kind: str = ""
    drafted_by: str | None = None
    is_ground_truth: bool = False


class RowSpool:
    """Rows in a temporary file that vanishes with the process. Rows are known by their numbers, from 0."""

    def __init__(self) -> None:
        self.keys: list[RowKey] = []
        self._starts: list[int] = []
        self._middles: list[int] = []
        self._file = tempfile.TemporaryFile(prefix="annotune-dataset-")  # noqa: SIM115 - closed by __exit__
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, key: RowKey, question: str, line: str) -> None:
        """Add a row: the question, and the row as it will stand in its file."""
        self.keys.append(key)
        self._starts.append(self._end)
        for text, places in ((question, self._middles), (line, None)):
            self._end += self._file.write(text.encode("utf-8", "surrogatepass"))
            if places is not None:
                places.append(self._end)

    def question(self, row: int) -> str:
        return self._read(self._starts[row], self._middles[row])

    def questions(self) -> Iterator[str]:
        """The questions of all rows, in their order."""
        return map(self.question, range(len(self)))

    def line(self, row: int) -> str:
        end = self._starts[row + 1] if row + 1 < len(self) else self._end
        return self._read(self._middles[row], end)

    def _read(self, start: int, end: int) -> str:
        self._file.seek(start)
        return self._file.read(end - start).decode("utf-8", "surrogatepass")
