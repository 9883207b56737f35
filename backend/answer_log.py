"""Every answer that was given, kept: who wrote a text can never be told afterwards."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from annotune.answer import Answer
from annotune.errors import EditUnknown, RecordUnreadable, StoreUnavailable
from annotune.store.store import Started, Store
from backend.spool import Spool

# A Redis that was killed has lost its last second (appendfsync everysec), and more if its disk was slow.
UNCERTAIN_S = 30.0
MAX_RECENT = 5000
RETRY_S = 1.0
log = logging.getLogger(__name__)


class AnswerLog:
    """Writes answers to Redis; while it is away, or keeps nothing, they wait in the spool."""

    def __init__(self, store: Store, spool: Spool, *, kept_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`kept_s`: seconds that Redis keeps an answer; 0: for ever."""
        self.spool = spool
        self._store = store
        self._kept_s = kept_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failed_at = float("-inf")
        self._redis: str | None = None
        self._recent: deque[tuple[float, Answer]] = deque(maxlen=MAX_RECENT)

    def add(self, answers: Iterable[Answer]) -> None:
        """Keep answers; never fails."""
        given = tuple(answers)
        with self._lock:
            now = self._clock()
            self._recent.extend((now, answer) for answer in given)
            away = now - self._failed_at < RETRY_S  # each try would take its time
        if away or not self._keep(given):
            self.spool.add(given)

    def recover(self) -> None:
        """Write down what waits, and once more what a Redis that was restarted may have lost; called now and then.

        Raises:
            StoreUnavailable: Redis keeps nothing; the message says why.
        """
        try:
            started = self._store.started()
            if started.noted != started.id and (not started.noted or started.up_s >= UNCERTAIN_S):
                self._store.note_start(started.id)
        except StoreUnavailable:
            self._failed()
            raise
        if self._is_another(started):
            with self._lock:
                self._failed_at = self._clock()
                since = self._failed_at - UNCERTAIN_S
                lost = [answer for at, answer in self._recent if at >= since]
            self.spool.add(lost)
        self._redis = started.id
        self.flush()

    def close(self) -> None:
        """Write down what waits, if Redis takes it, and let go of the file, so that another process may."""
        try:
            self.flush()
        except StoreUnavailable as error:
            log.warning("%s: %d answers go on waiting in SPOOL_DIR", error, self.spool.count())
        self.spool.close()

    def flush(self) -> None:
        """Write down what waits.

        Raises:
            StoreUnavailable: Redis keeps nothing; the message says why.
        """
        try:
            self.spool.drain(self._write)
        except StoreUnavailable:
            self._failed()
            raise

    def read(self, project: int, task: int) -> list[Answer]:
        """The answers given for a task, oldest first.

        Raises:
            StoreUnavailable: Redis is away; `waiting` has those given since.
        """
        waiting = self.pending(project, task)  # first: what is written down meanwhile is then read twice, not never
        try:
            kept = self._store.answers.all(project, task)
        except StoreUnavailable:
            self._failed()
            raise
        return sorted([*kept, *waiting], key=lambda answer: answer.at)

    def was_asked(self, project: int, task: int, prompt_sha: str) -> bool:
        """Whether a prompt was answered for a task before.

        Raises:
            EditUnknown: no answer is known, and some may not be.
        """
        given = self.read_available(project, task)
        if any(answer.prompt_sha == prompt_sha for answer in given):
            return True
        if why := self.why_incomplete(given):
            raise EditUnknown(why)
        return False

    def read_available(self, project: int, task: int) -> list[Answer]:
        """Those of a task that can be read now: while Redis is away, only those given since."""
        try:
            return self.read(project, task)
        except StoreUnavailable:
            return self.pending(project, task)

    def pending(self, project: int, task: int) -> list[Answer]:
        """Those of a task that are not in Redis yet."""
        return self.spool.pending(project, task)

    def why_incomplete(self, given: Iterable[Answer]) -> str:
        """Why there may be more answers than those that were found for a task; empty where there are surely none.

        For a while after Redis failed or was started again nothing is certain, and where one was lost it never is.
        """
        if self.spool.overflowed or any(answer.lost for answer in given):
            return "there was no room for an answer while Redis was away"
        return "" if self._is_certain() else "Redis failed or was started less than half a minute ago"

    def _is_certain(self) -> bool:
        if self._clock() - self._failed_at < UNCERTAIN_S:
            return False
        try:
            started = self._store.started()
        except StoreUnavailable:
            self._failed()
            return False
        return not self._is_another(started) and (started.up_s >= UNCERTAIN_S or started.noted in {"", started.id})

    def _is_another(self, started: Started) -> bool:
        """Whether Redis may hold less than when this process last looked: it was started since, or emptied."""
        return self._redis is not None and (self._redis != started.id or not started.noted)

    def _keep(self, answers: tuple[Answer, ...]) -> bool:
        try:
            self._write(answers)
        except StoreUnavailable as error:
            self._failed()
            log.warning("%s: answers wait in SPOOL_DIR", error)
            return False
        return True

    def _write(self, answers: Iterable[Answer]) -> None:
        try:
            self._store.answers.add(answers, kept_s=self._kept_s)
        except RecordUnreadable:
            for answer in answers:
                try:
                    self._store.answers.add([answer], kept_s=self._kept_s)
                except RecordUnreadable as error:
                    log.error("an answer is not kept: %s", error)  # noqa: TRY400 - a sentence says it

    def _failed(self) -> None:
        with self._lock:
            self._failed_at = self._clock()
