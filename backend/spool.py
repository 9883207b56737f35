"""Answers that wait for Redis, in files of a folder that all backend processes of a host share.

Each process appends to a file of its own, locked as long as it lives, and reads those of all. A file that nobody holds was
left by a process that ended: whoever comes next writes it down. A line is an answer; a last one without its end was cut off
when its process was killed, and is left out. Where there is no room for an answer, a mark that one was given takes its
place, so that no text of its task passes for surely ours or surely a person's.
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
UNLOCKED = ".new"
MAX_BYTES = 32 << 20  # of the folder: some 20,000 answers
MARKS_BYTES = 8 << 20  # beyond that, for some 50,000 marks
PAGE_SIZE = 500
log = logging.getLogger(__name__)
Task = tuple[int, int]
Place = tuple[int, int]


@dataclass
class _FileIndex:
    """What is known of a file: read up to `end` (bytes), and where its lines are (offset, length), by project and task."""

    end: int = 0
    places: dict[Task, list[Place]] = field(default_factory=lambda: defaultdict(list))


class Spool:
    """Shared by all threads of a process. Where the folder cannot be written, answers wait in memory.

    `dropped` counts the answers of this process that there was no room for; `forgets` is set once not even a mark had any:
    from then on nothing is certain, for as long as the process lives.
    """

    def __init__(self, folder: Path, *, most_bytes: int = MAX_BYTES, marks_bytes: int = MARKS_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._marks_bytes = marks_bytes
        self._lock = threading.Lock()
        self._emptying = threading.Lock()
        self._own: int | None = None  # a file descriptor: it is locked until the process ends, or lets go of it
        self._memory: list[Answer] = []
        self._memory_bytes = 0
        self._known: dict[str, _FileIndex] = {}
        self.dropped = 0
        self.overflowed = False

    def check(self) -> str:
        """Why answers could not be kept in the folder; empty where they can. Makes the folder."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            return self._unwritable(error)
        return "" if os.access(self._folder, os.W_OK) else self._unwritable(None)

    def add(self, answers: Iterable[Answer]) -> None:
        """Let answers wait; where there is no room, only a mark that one was given."""
        with self._lock:
            for answer in answers:
                if not self._keep(answer, self._most_bytes):
                    self._drop(answer)

    def pending(self, project: int, task: int) -> list[Answer]:
        """Those of a task, whichever process of this host keeps them."""
        with self._lock:
            self._read()
            places = {name: [*known.places.get((project, task), ())] for name, known in self._known.items()}
            held = [answer for answer in self._memory if (answer.project, answer.task) == (project, task)]
        lines = [line for name, wanted in places.items() for line in _lines(self._folder / name, wanted)]
        return [*filter(None, map(_answer, lines)), *held]

    def count(self) -> int:
        """How many wait."""
        with self._lock:
            self._read()
            kept = sum(len(places) for known in self._known.values() for places in known.places.values())
            return kept + len(self._memory)

    def drain(self, write: Callable[[list[Answer]], object]) -> None:
        """Give all that nobody else holds to `write`, page by page, and remove what it took.

        What `write` raises ends it: that page and what follows stays. A page may come twice.
        """
        with self._emptying:
            self.close()  # and with it its lock: it is now like one that was left
            with self._lock:
                held = [*self._memory]
            for start in range(0, len(held), PAGE_SIZE):
                write(held[start : start + PAGE_SIZE])
            with self._lock:  # only now: until it is written down elsewhere, it must be found here
                del self._memory[: len(held)]
                self._memory_bytes = sum(len(_line(answer)) for answer in self._memory)
            for path in self._files():
                with _locked(path) as file:
                    if file is not None:
                        for page in _pages(file, path.name):
                            write(page)
                        path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of this process's file."""
        with self._lock:
            if self._own is not None:
                os.close(self._own)
                self._own = None

    def _keep(self, answer: Answer, most_bytes: int) -> bool:
        """False: there is no room."""
        line = _line(answer)
        if self._bytes() + len(line) > most_bytes:
            return False
        if not self._write(line):
            self._memory.append(answer)
            self._memory_bytes += len(line)
        return True

    def _drop(self, answer: Answer) -> None:
        if not self.dropped:
            log.error("SPOOL_DIR=%s is full: of further answers only a mark is kept, not the text", self._folder)
        self.dropped += 1
        mark = answer.model_copy(update={"prompt": "", "prompt_sha": "", "text": "", "lost": True})
        if not self._keep(mark, self._most_bytes + self._marks_bytes) and not self.overflowed:
            log.error("SPOOL_DIR=%s has no room for marks either: until a restart nothing is certain", self._folder)
            self.overflowed = True

    def _write(self, line: bytes) -> bool:
        """Append to this process's file. False: it cannot be written."""
        try:
            if self._own is None:
                self._own = self._begin()
            _append(self._own, line)
        except OSError as error:
            log.error("%s", self._unwritable(error))  # noqa: TRY400 - a sentence says it
            return False
        return True

    def _begin(self) -> int:
        """A new file, locked before it has a name that others look for: they would take it for one that was left."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{uuid.uuid4().hex}{UNLOCKED}"
        own = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(own, fcntl.LOCK_EX)
            path.rename(path.with_suffix(SUFFIX))
        except OSError:
            os.close(own)
            raise
        return own

    def _bytes(self) -> int:
        size = self._memory_bytes
        for path in self._files():
            with suppress(FileNotFoundError):
                size += path.stat().st_size
        return size

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix == SUFFIX)
        except OSError:  # not made yet
            return []

    def _read(self) -> None:
        """Read what the files hold since the last time."""
        files = {path.name: path for path in self._files()}
        self._known = {name: self._known.get(name, _FileIndex()) for name in files}
        for name, known in self._known.items():
            with suppress(OSError), files[name].open("rb") as file:  # it may be gone since
                at = file.seek(known.end)
                whole = file.read().rpartition(b"\n")[0]
                known.end += len(whole) + bool(whole)
                for line in whole.split(b"\n") if whole else ():
                    answer = _answer(line)
                    if answer is not None:
                        known.places[answer.project, answer.task].append((at, len(line)))
                    at += len(line) + 1

    def _unwritable(self, error: OSError | None) -> str:
        why = f" ({error.strerror})" if error else ""
        return (
            f"SPOOL_DIR={str(self._folder)!r} cannot be written{why}: answers given while Redis is away wait in memory"
        )


def _append(file: int, line: bytes) -> None:
    """All of it or nothing: half a line would spoil the next one too. Raises OSError where the disk is full."""
    written = os.write(file, line)
    if written < len(line):
        os.ftruncate(file, os.fstat(file).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _line(answer: Answer) -> bytes:
    return answer.model_dump_json(exclude_defaults=True).encode() + b"\n"


def _answer(line: bytes) -> Answer | None:
    try:
        return Answer.parse_record(line, "a line of SPOOL_DIR")
    except RecordUnreadable:
        log.warning("a line of SPOOL_DIR is no answer and is left out")
        return None


def _lines(path: Path, places: Sequence[Place]) -> Iterator[bytes]:
    """Lines of a file; none where it is gone, since what it held is in Redis by then."""
    if not places:
        return
    with suppress(OSError), path.open("rb") as file:
        for at, length in places:
            file.seek(at)
            yield file.read(length)


def _pages(file: IO[bytes], name: str) -> Iterator[list[Answer]]:
    """The answers of a file, so many at a time that a Redis which hangs up in between takes few again."""
    page: list[Answer] = []
    for line in file:
        if not line.endswith(b"\n"):
            log.warning("%s: the last answer was cut off and is left out", name)
        elif (answer := _answer(line)) is not None:
            page.append(answer)
        if len(page) == PAGE_SIZE:
            yield page
            page = []
    if page:
        yield page


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes] | None]:
    """A file that nobody else holds; None where somebody does, or where it is gone."""
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
