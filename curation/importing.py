"""Rows of a source become tasks of a project. A row that is a task already is passed over, so that it can run again.

Label Studio's own tasks say what was imported. They are read once, at the start, as 16 bytes each; the rows are streamed.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Self

from annotune.errors import LabelStudioError, LabelStudioRefused, RequestInvalid
from annotune.labeling.fields import ShownFields
from annotune.parallel import run_bounded
from curation.context import CurationContext
from curation.patience import WAITING, Check, Notice, Waiting, until_done
from curation.row_mapping import NewTask, RowMapping
from curation.sources.row import RowUnreadable, SourceRow
from curation.sources.shuffle import BUFFER_ROWS, shuffled
from curation.sources.source import RowSource

SAMPLE = 100  # rows that tell the columns
BATCH_TASKS = 1000
BATCH_CHARACTERS = 4_000_000
SHOWN_EVERY = 500  # rows
BAD_ROW_CHARACTERS = 10_000


@dataclass
class ImportCounts:
    """Counts of an import, in rows of the source. They rise while it runs.

    `sent` became tasks, and `landed` did so in a pass that Label Studio's absence ended. `present` were tasks before,
    `doubled` come twice in the source. `bad` counts rows by the reason why they are no tasks, and `bad_rows` is the file
    that has them, if one was asked for. `left_out` are columns that no task gets.
    """

    total: int | None = None
    read: int = 0
    sent: int = 0
    landed: int = 0
    present: int = 0
    doubled: int = 0
    bad: dict[str, int] = field(default_factory=dict)
    bad_rows: Path | None = None
    left_out: tuple[str, ...] = ()

    @property
    def imported(self) -> int:
        """The number of rows that became tasks."""
        return self.sent + self.landed

    @property
    def bad_count(self) -> int:
        """The number of bad rows."""
        return sum(self.bad.values())


OnImport = Callable[[ImportCounts], object]


@dataclass(frozen=True)
class ImportOptions:
    """What to take of a source: at most `limit` rows, in an order that the seed `shuffle` decides, `columns` by field."""

    limit: int | None = None
    shuffle: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    bad_rows: Path | None = None


def import_source(
    context: CurationContext,
    project: int,
    source: RowSource,
    options: ImportOptions,
    *,
    on_progress: OnImport,
    notice: Notice,
    waiting: Waiting = WAITING,
) -> ImportCounts:
    """Import the rows of a source that are no tasks of the project yet.

    Args:
        context: where Label Studio and Redis are.
        project: its number.
        source: where the rows come from.
        options: which rows, and how.
        on_progress: called with the counts now and then.
        notice: called with a sentence for each wait.
        waiting: how long to wait for a Label Studio that goes away.

    Raises:
        RequestInvalid: the source has no rows, or lacks a column that the page shows.
        InUse: another process changes the project's tasks.
        NotFound, LabelStudioError, StoreUnavailable: as `until_done`.
    """
    shown = ShownFields.of(context.project(project).label_config)
    before: set[bytes] = set()
    first = True

    def work(check: Check) -> ImportCounts:
        nonlocal first
        rows = _rows(source, options)
        sample = list(islice(rows, SAMPLE))
        if not sample:
            raise RequestInvalid(f"{source.name} has no rows: nothing is imported")
        mapping = RowMapping.of(shown, options.columns, source.key, sample, f"{source.name} for project {project}")
        there = {mapping.key_of(task.data) for task in context.label_studio.tasks.listed(project)}
        if first:
            before.update(there)
            first = False
        counts = ImportCounts(total=_total(source, options), left_out=tuple(sorted(mapping.left_out)))
        with _BadRows(options.bad_rows, counts) as bad:
            take = partial(context.label_studio.projects.import_whole, project)
            run = _Pass(take, mapping, counts, bad, before=before, there=there)
            batches = run.batches(chain(sample, rows), on_progress)

            def send(batch: list[tuple[SourceRow, NewTask]]) -> None:
                check()
                run.send(batch)
                on_progress(counts)

            run_bounded(batches, send, 1)
        return counts

    return until_done(context, project, work, notice=notice, waiting=waiting)


class _Pass:
    """One pass over the source. `send` imports tasks and returns how many became tasks. `before` are the keys of tasks from
    before the first pass, `there` of all tasks.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Mapping[str, Any]]], int],
        mapping: RowMapping,
        counts: ImportCounts,
        bad: "_BadRows",
        *,
        before: set[bytes],
        there: set[bytes],
    ) -> None:
        self._send = send
        self._mapping = mapping
        self._counts = counts
        self._bad = bad
        self._before = before
        self._earlier = there - before  # an earlier pass imported them
        self._known = there

    def batches(self, rows: Iterable[SourceRow], on_progress: OnImport) -> Iterator[list[tuple[SourceRow, NewTask]]]:
        """The rows that are no tasks yet, in batches that one request takes."""
        batch: list[tuple[SourceRow, NewTask]] = []
        characters = 0
        for row in rows:
            self._counts.read += 1
            if self._counts.read % SHOWN_EVERY == 0:
                on_progress(self._counts)
            task = self._new(row)
            if task is None:
                continue
            batch.append((row, task))
            characters += len(str(task.body))
            if len(batch) >= BATCH_TASKS or characters >= BATCH_CHARACTERS:
                yield batch
                batch, characters = [], 0
        if batch:
            yield batch

    def _new(self, row: SourceRow) -> NewTask | None:
        """A row as a task, unless it is bad or a task already."""
        try:
            task = self._mapping.task(row)
        except RowUnreadable as error:
            self._bad.add(row, str(error))
            return None
        if task.key in self._before:
            self._counts.present += 1
        elif task.key in self._earlier:
            self._earlier.discard(task.key)
            self._counts.landed += 1
        elif task.key in self._known:
            self._counts.doubled += 1
        else:
            self._known.add(task.key)
            return task
        return None

    def send(self, batch: list[tuple[SourceRow, NewTask]]) -> None:
        """Import a batch. What Label Studio refuses is sent in halves, down to the rows that it refuses singly."""
        try:
            made = self._send([task.body for _, task in batch])
        except LabelStudioRefused as error:
            if len(batch) == 1:
                self._bad.add(batch[0][0], _without_place(str(error)))
                return
            middle = len(batch) // 2
            self.send(batch[:middle])
            self.send(batch[middle:])
            return
        if made != len(batch):
            raise LabelStudioError(
                f"Label Studio took {made} of {len(batch)} tasks: import again, and see how many are there"
            )
        self._counts.sent += made


class _BadRows:
    """Rows that are no tasks: counted by reason, and written to a file as JSON lines, which is made with the first one."""

    def __init__(self, path: Path | None, counts: ImportCounts) -> None:
        self._path = path
        self._counts = counts
        self._file: IO[str] | None = None
        self._opened = ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def add(self, row: SourceRow, reason: str) -> None:
        """Count a row.

        Raises:
            RequestInvalid: the file cannot be written.
        """
        with self._lock:
            self._counts.bad[reason] = self._counts.bad.get(reason, 0) + 1
            if self._path is None:
                return
            try:
                if self._file is None:
                    self._file = self._opened.enter_context(self._path.open("w", encoding="utf-8"))
                    self._counts.bad_rows = self._path
                self._file.write(_bad_line(row, reason))
            except OSError as error:
                raise RequestInvalid(f"the bad rows cannot be written to {self._path}: {error}") from error


def _bad_line(row: SourceRow, reason: str) -> str:
    said: dict[str, Any] = {"row": row.number} | ({"place": row.place} if row.place else {}) | {"reason": reason}
    whole = json.dumps(said | {"data": dict(row.data)}, default=str)
    if len(whole) > BAD_ROW_CHARACTERS:
        cut = json.dumps(dict(row.data), default=str)[:BAD_ROW_CHARACTERS]
        whole = json.dumps(said | {"data_begins": cut})
    return f"{whole}\n"


def _rows(source: RowSource, options: ImportOptions) -> Iterator[SourceRow]:
    rows = source.rows()
    return islice(rows if options.shuffle is None else shuffled(rows, options.shuffle), options.limit)


def _total(source: RowSource, options: ImportOptions) -> int | None:
    """How many rows are read, where that is known."""
    known = [number for number in (source.total, options.limit) if number is not None]
    return min(known, default=None) if source.total is not None or options.limit is not None else None


def _without_place(message: str) -> str:
    """Label Studio's refusal without the number of an item, so that equal ones count as one."""
    before, mark, after = message.partition("Error at item 0: ")
    return before + after if mark else message


def shuffle_notice(seed: int) -> str:
    """What a person should know about shuffled rows."""
    return f"rows are shuffled (seed {seed}) within a buffer of {BUFFER_ROWS:,} rows, not over the whole source"
