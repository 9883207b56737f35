"""Answers that wait for Redis, in files of a folder that all backend processes of a host share.

Each process appends to its own file, which it locks while it lives, and reads the files of all processes. An unlocked file
was left by a process that ended; the next process that drains the spool writes it to Redis. Each line is an answer. A last
line without a line break was cut off when its process was killed, and is ignored. If there is no room for an answer, a
marker without its text is stored. It says that the answers known for this task are not all.
"""

import errno
import fcntl
import logging
import os
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from annotune.answer import Answer
from annotune.errors import RecordUnreadable

SUFFIX = ".jsonl"
UNLOCKED_SUFFIX = ".new"
MAX_BYTES = 32 << 20  # of the folder; about 20,000 answers
MAX_MARKER_BYTES = 8 << 20  # beyond `MAX_BYTES`; about 50,000 markers
PAGE_SIZE = 500  # answers
log = logging.getLogger(__name__)
TaskKey = tuple[int, int]
"""Project, task."""
LinePosition = tuple[int, int]
"""Offset and length of a line, in bytes."""


@dataclass
class _FileIndex:
    """Where the answers for each task are in a file, as far as it was read: up to the byte `end`."""

    end: int = 0
    lines: dict[TaskKey, list[LinePosition]] = field(default_factory=lambda: defaultdict(list))


class Spool:
    """Shared by all threads of a process. If the folder cannot be written, answers wait in memory.

    `dropped` counts the answers of this process that had no room. `overflowed` is set once there is no room even for a
    marker; from then on, as long as the process lives, no task's answers are surely complete.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, max_marker_bytes: int = MAX_MARKER_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_marker_bytes = max_marker_bytes
        self._lock = threading.Lock()
        self._draining = threading.Lock()
        self._own_file: int | None = None  # a descriptor; the file is locked until it is closed
        self._memory: list[Answer] = []
        self._memory_bytes = 0
        self._indexes: dict[str, _FileIndex] = {}  # by file name
        self.dropped = 0
        self.overflowed = False

    def check(self) -> str:
        """Why the folder cannot be written; empty if it can. Makes the folder."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            return self._unwritable(error)
        return "" if os.access(self._folder, os.W_OK) else self._unwritable(None)

    def add(self, answers: Iterable[Answer]) -> None:
        """Store answers. For one without room, only a marker is stored."""
        with self._lock:
            for answer in answers:
                if not self._store(answer, self._max_bytes):
                    self._drop(answer)

    def pending(self, project: int, task: int) -> list[Answer]:
        """The waiting answers for a task, of all processes of this host."""
        with self._lock:
            self._update_indexes()
            positions = {name: [*index.lines.get((project, task), ())] for name, index in self._indexes.items()}
            in_memory = [answer for answer in self._memory if (answer.project, answer.task) == (project, task)]
        lines = [line for name, wanted in positions.items() for line in _read_lines(self._folder / name, wanted)]
        return [*filter(None, map(_parse_line, lines)), *in_memory]

    def count(self) -> int:
        """The number of waiting answers."""
        with self._lock:
            self._update_indexes()
            in_files = sum(len(lines) for index in self._indexes.values() for lines in index.lines.values())
            return in_files + len(self._memory)

    def drain(self, write: Callable[[list[Answer]], object]) -> None:
        """Pass all answers in memory and in unlocked files to `write`, page by page, and remove them.

        An error of `write` ends it; that page and the rest stay. `write` may get a page twice.
        """
        with self._draining:
            self.close()  # unlocks this process's file, so it is drained like the others
            with self._lock:
                in_memory = [*self._memory]
            for start in range(0, len(in_memory), PAGE_SIZE):
                write(in_memory[start : start + PAGE_SIZE])
            with self._lock:  # removed only after they are written, so that a reader finds them here or there
                del self._memory[: len(in_memory)]
                self._memory_bytes = sum(len(_line(answer)) for answer in self._memory)
            for path in self._files():
                with _locked(path) as file:
                    if file is not None:
                        for page in _pages(file, path.name):
                            write(page)
                        path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close and unlock this process's file."""
        with self._lock:
            if self._own_file is not None:
                os.close(self._own_file)
                self._own_file = None

    def _store(self, answer: Answer, max_bytes: int) -> bool:
        """Whether there was room for an answer."""
        line = _line(answer)
        if self._bytes() + len(line) > max_bytes:
            return False
        if not self._write(line):
            self._memory.append(answer)
            self._memory_bytes += len(line)
        return True

    def _drop(self, answer: Answer) -> None:
        """Store a marker in place of an answer."""
        if not self.dropped:
            log.error("SPOOL_DIR=%s is full: of further answers only a marker is kept, not the text", self._folder)
        self.dropped += 1
        marker = answer.model_copy(update={"prompt": "", "prompt_sha": "", "text": "", "lost": True})
        if not self._store(marker, self._max_bytes + self._max_marker_bytes) and not self.overflowed:
            log.error(
                "SPOOL_DIR=%s has no room for markers either: until a restart, no task's answers are surely complete",
                self._folder,
            )
            self.overflowed = True

    def _write(self, line: bytes) -> bool:
        """Append a line to this process's file. False: the file cannot be written."""
        try:
            if self._own_file is None:
                self._own_file = self._create_file()
            _append(self._own_file, line)
        except OSError as error:
            log.error("%s", self._unwritable(error))  # noqa: TRY400 - the sentence says it all
            return False
        return True

    def _create_file(self) -> int:
        """The descriptor of a new file. It is locked before it gets its name, or another process could drain it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{uuid.uuid4().hex}{UNLOCKED_SUFFIX}"
        descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            path.rename(path.with_suffix(SUFFIX))
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _bytes(self) -> int:
        """Bytes of all waiting answers, in files and in memory."""
        size = self._memory_bytes
        for path in self._files():
            with suppress(FileNotFoundError):
                size += path.stat().st_size
        return size

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix == SUFFIX)
        except OSError:  # the folder does not exist yet
            return []

    def _update_indexes(self) -> None:
        """Index the lines that were added since the last call."""
        files = {path.name: path for path in self._files()}
        self._indexes = {name: self._indexes.get(name, _FileIndex()) for name in files}
        for name, index in self._indexes.items():
            with suppress(OSError), files[name].open("rb") as file:  # another process may have drained it
                offset = file.seek(index.end)
                complete = file.read().rpartition(b"\n")[0]
                index.end += len(complete) + bool(complete)
                for line in complete.split(b"\n") if complete else ():
                    answer = _parse_line(line)
                    if answer is not None:
                        index.lines[answer.project, answer.task].append((offset, len(line)))
                    offset += len(line) + 1

    def _unwritable(self, error: OSError | None) -> str:
        reason = f" ({error.strerror})" if error else ""
        return f"SPOOL_DIR={str(self._folder)!r} cannot be written{reason}: answers given while Redis is away wait in memory"


def _append(descriptor: int, line: bytes) -> None:
    """Append a line, or nothing: half a line would make the next one unreadable too.

    Raises:
        OSError: the disk is full.
    """
    written = os.write(descriptor, line)
    if written < len(line):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _line(answer: Answer) -> bytes:
    return answer.model_dump_json(exclude_defaults=True).encode() + b"\n"


def _parse_line(line: bytes) -> Answer | None:
    try:
        return Answer.parse_record(line, "a line of SPOOL_DIR")
    except RecordUnreadable:
        log.warning("a line of SPOOL_DIR is not an answer and is ignored")
        return None


def _read_lines(path: Path, positions: Sequence[LinePosition]) -> Iterator[bytes]:
    """Lines of a file; none if the file is gone, because its answers are then in Redis."""
    if not positions:
        return
    with suppress(OSError), path.open("rb") as file:
        for offset, length in positions:
            file.seek(offset)
            yield file.read(length)


def _pages(file: IO[bytes], name: str) -> Iterator[list[Answer]]:
    """The answers of a file, in pages of `PAGE_SIZE`. After an error, only one page is written to Redis again."""
    page: list[Answer] = []
    for line in file:
        if not line.endswith(b"\n"):
            log.warning("%s: the last answer was cut off and is ignored", name)
        elif (answer := _parse_line(line)) is not None:
            page.append(answer)
        if len(page) == PAGE_SIZE:
            yield page
            page = []
    if page:
        yield page


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes] | None]:
    """The file, locked by us; None if another process has locked it, or if it is gone."""
    try:
        file = path.open("rb")
    except OSError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        yield file if os.fstat(file.fileno()).st_nlink else None
