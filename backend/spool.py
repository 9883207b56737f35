"""Answers that wait for Redis, in files of a folder that all backend processes of a host share.

Each process appends to a file of its own, locked as long as it lives, and reads those of all. A file that nobody holds was
left by a process that ended: whoever comes next writes it down. A line is an answer; a last one without its end was cut off
when its process was killed, and is left out.
"""

import fcntl
import logging
import os
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from annotune.errors import RecordUnreadable
from annotune.example import Answer

SUFFIX = ".jsonl"
MOST_BYTES = 32 << 20  # of the folder: some 30,000 answers
PAGE = 500
log = logging.getLogger(__name__)
Task = tuple[int, int]


@dataclass
class _Read:
    """What is known of a file: read up to `end` (bytes), and its lines by project and task."""

    end: int = 0
    lines: dict[Task, list[str]] = field(default_factory=lambda: defaultdict(list))


class Spool:
    """Shared by all threads of a process. Where the folder cannot be written, answers wait in memory."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._own: int | None = None  # a file descriptor: it is locked until the process ends, or lets go of it
        self._memory: list[Answer] = []
        self._memory_bytes = 0
        self._known: dict[str, _Read] = {}
        self.dropped = 0
        self._dropped_of: set[Task] = set()

    def check(self) -> str:
        """Why answers could not be kept in the folder; empty where they can. Makes the folder."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            return self._unwritable(error)
        return "" if os.access(self._folder, os.W_OK) else self._unwritable(None)

    def add(self, answers: Iterable[Answer]) -> None:
        """Let answers wait. Where there is no room they are dropped, counted, and their tasks remembered."""
        with self._lock:
            for answer in answers:
                line = answer.model_dump_json().encode() + b"\n"
                if self._bytes() + len(line) > self._most_bytes:
                    self._drop(answer)
                elif not self._write(line):
                    self._memory.append(answer)
                    self._memory_bytes += len(line)

    def waiting(self, project: int, task: int) -> list[Answer]:
        """Those of a task, whichever process of this host keeps them."""
        with self._lock:
            self._read()
            lines = [line for known in self._known.values() for line in known.lines.get((project, task), ())]
            held = [answer for answer in self._memory if (answer.project, answer.task) == (project, task)]
        return [*filter(None, map(_answer, lines)), *held]

    def has_dropped(self, project: int, task: int) -> bool:
        with self._lock:
            return (project, task) in self._dropped_of

    def count(self) -> int:
        """How many wait."""
        with self._lock:
            self._read()
            kept = sum(len(lines) for known in self._known.values() for lines in known.lines.values())
            return kept + len(self._memory)

    def empty(self, write: Callable[[list[Answer]], object]) -> None:
        """Give all that nobody else holds to `write`, page by page, and remove what it took.

        What `write` raises ends it: that page and what follows stays. A page may come twice.
        """
        with self._lock:
            own, self._own = self._own, None
            held, self._memory, self._memory_bytes = self._memory, [], 0
        if own is not None:
            os.close(own)  # and with it its lock: it is now like one that was left
        try:
            _write_pages(held, write)
        except BaseException:
            with self._lock:
                self._memory = held + self._memory
            raise
        for path in self._files():
            with _locked(path) as file:
                if file is not None:
                    *lines, rest = file.read().split(b"\n")
                    if rest:
                        log.warning("%s: the last answer was cut off and is left out", path.name)
                    _write_pages([*filter(None, (_answer(line.decode(errors="replace")) for line in lines))], write)
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of this process's file."""
        with self._lock:
            if self._own is not None:
                os.close(self._own)
                self._own = None

    def _write(self, line: bytes) -> bool:
        """Append to this process's file. False: it cannot be written."""
        try:
            if self._own is None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                path = self._folder / f"{uuid.uuid4().hex}{SUFFIX}"
                self._own = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._own, fcntl.LOCK_EX)
            os.write(self._own, line)
        except OSError as error:
            log.error("%s", self._unwritable(error))  # noqa: TRY400 - a sentence says it
            return False
        return True

    def _drop(self, answer: Answer) -> None:
        if not self.dropped:
            log.error("SPOOL_DIR=%s is full: answers are dropped until Redis keeps them again", self._folder)
        self.dropped += 1
        self._dropped_of.add((answer.project, answer.task))

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
        self._known = {name: self._known.get(name, _Read()) for name in files}
        for name, known in self._known.items():
            with suppress(OSError), files[name].open("rb") as file:  # it may be gone since
                file.seek(known.end)
                whole = file.read().rpartition(b"\n")[0]
                known.end += len(whole) + bool(whole)
                for line in whole.decode(errors="replace").split("\n") if whole else ():
                    answer = _answer(line)
                    if answer is not None:
                        known.lines[answer.project, answer.task].append(line)

    def _unwritable(self, error: OSError | None) -> str:
        why = f" ({error.strerror})" if error else ""
        return (
            f"SPOOL_DIR={str(self._folder)!r} cannot be written{why}: answers given while Redis is away wait in memory"
        )


def _answer(line: str) -> Answer | None:
    try:
        return Answer.recall(line, "a line of SPOOL_DIR")
    except RecordUnreadable:
        log.warning("a line of SPOOL_DIR is no answer and is left out")
        return None


def _write_pages(answers: list[Answer], write: Callable[[list[Answer]], object]) -> None:
    for start in range(0, len(answers), PAGE):
        write(answers[start : start + PAGE])


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
