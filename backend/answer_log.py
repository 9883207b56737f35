"""The log of all answers. Without it nobody could tell later whether a model or a person wrote a text."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from annotune.answer import Answer
from annotune.errors import EditUnknown, RecordUnreadable, StoreUnavailable
from annotune.store.store import RedisStart, Store
from backend.spool import Spool

# A Redis that was killed has lost its last second (appendfsync everysec), and more if its disk was slow.
UNCERTAIN_S = 30.0
MAX_RECENT = 5000  # answers
RETRY_S = 1.0
log = logging.getLogger(__name__)


class AnswerLog:
    """Writes answers to Redis. While Redis cannot store them, they wait in the spool."""

    def __init__(self, store: Store, spool: Spool, *, kept_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`kept_s`: how many seconds Redis keeps an answer; 0 means for ever."""
        self.spool = spool
        self._store = store
        self._kept_s = kept_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failed_at = float("-inf")
        self._redis_id: str | None = None  # of the Redis process at the last `recover`
        self._recent: deque[tuple[float, Answer]] = deque(maxlen=MAX_RECENT)

    def add(self, answers: Iterable[Answer]) -> None:
        """Log answers. Raises nothing: if Redis is away, they go to the spool."""
        new = tuple(answers)
        with self._lock:
            now = self._clock()
            self._recent.extend((now, answer) for answer in new)
            redis_is_away = now - self._failed_at < RETRY_S  # a try may last until a timeout
        if redis_is_away or not self._try_write(new):
            self.spool.add(new)

    def recover(self) -> None:
        """Write the waiting answers to Redis, and those again that a restarted Redis may have lost.

        Called regularly.

        Raises:
            StoreUnavailable: Redis cannot store anything. The message says why.
        """
        try:
            started = self._store.started()
            if started.noted != started.id and (not started.noted or started.up_s >= UNCERTAIN_S):
                self._store.note_start(started.id)
        except StoreUnavailable:
            self._note_failure()
            raise
        if self._may_have_lost_data(started):
            with self._lock:
                self._failed_at = self._clock()
                since = self._failed_at - UNCERTAIN_S
                lost = [answer for at, answer in self._recent if at >= since]
            self.spool.add(lost)
        self._redis_id = started.id
        self.flush()

    def close(self) -> None:
        """Write the waiting answers if Redis takes them, and unlock the spool's file for other processes."""
        try:
            self.flush()
        except StoreUnavailable as error:
            log.warning("%s: %d answers go on waiting in SPOOL_DIR", error, self.spool.count())
        self.spool.close()

    def flush(self) -> None:
        """Write the waiting answers to Redis.

        Raises:
            StoreUnavailable: Redis cannot store anything. The message says why.
        """
        try:
            self.spool.drain(self._write)
        except StoreUnavailable:
            self._note_failure()
            raise

    def read(self, project: int, task: int) -> list[Answer]:
        """All answers for a task, oldest first.

        Raises:
            StoreUnavailable: Redis is away.
        """
        # Read the spool first: an answer that moves to Redis meanwhile is then found twice, not missed.
        pending = self.spool.pending(project, task)
        try:
            stored = self._store.answers.all(project, task)
        except StoreUnavailable:
            self._note_failure()
            raise
        return sorted([*stored, *pending], key=lambda answer: answer.at)

    def read_available(self, project: int, task: int) -> list[Answer]:
        """All answers for a task; while Redis is away, only those that wait in the spool."""
        try:
            return self.read(project, task)
        except StoreUnavailable:
            return self.spool.pending(project, task)

    def was_asked(self, project: int, task: int, prompt_sha: str) -> bool:
        """Whether a prompt was answered for a task before.

        Raises:
            EditUnknown: no answer was found, but some may be missing.
        """
        answers = self.read_available(project, task)
        if any(answer.prompt_sha == prompt_sha for answer in answers):
            return True
        if why := self.why_incomplete(answers):
            raise EditUnknown(why)
        return False

    def why_incomplete(self, answers: Iterable[Answer]) -> str:
        """Why a task may have more answers than these, which were read for it; empty if they are surely all.

        For `UNCERTAIN_S` after Redis failed or was started again, answers may be missing. If the spool had no room for an
        answer, one is missing for good.
        """
        if self.spool.overflowed or any(answer.lost for answer in answers):
            return "there was no room for an answer while Redis was away"
        return "" if self._is_certain() else "Redis failed or was started less than half a minute ago"

    def _is_certain(self) -> bool:
        if self._clock() - self._failed_at < UNCERTAIN_S:
            return False
        try:
            started = self._store.started()
        except StoreUnavailable:
            self._note_failure()
            return False
        return not self._may_have_lost_data(started) and (
            started.up_s >= UNCERTAIN_S or started.noted in {"", started.id}
        )

    def _may_have_lost_data(self, started: RedisStart) -> bool:
        """Whether Redis was restarted or emptied since the last `recover`."""
        return self._redis_id is not None and (self._redis_id != started.id or not started.noted)

    def _try_write(self, answers: tuple[Answer, ...]) -> bool:
        """Whether Redis took the answers."""
        try:
            self._write(answers)
        except StoreUnavailable as error:
            self._note_failure()
            log.warning("%s: answers wait in SPOOL_DIR", error)
            return False
        return True

    def _write(self, answers: Iterable[Answer]) -> None:
        try:
            self._store.answers.add(answers, kept_s=self._kept_s)
        except RecordUnreadable:  # one of them belongs to an unreadable record; write the others
            for answer in answers:
                try:
                    self._store.answers.add([answer], kept_s=self._kept_s)
                except RecordUnreadable as error:
                    log.error("an answer is not kept: %s", error)  # noqa: TRY400 - the sentence says it all

    def _note_failure(self) -> None:
        with self._lock:
            self._failed_at = self._clock()
