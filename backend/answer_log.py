"""Every answer that was given, kept: who wrote a text can never be told afterwards."""

import logging
import threading
from collections import deque
from collections.abc import Iterable

from annotune.errors import StoreUnavailable
from annotune.example import Answer
from annotune.store import Store

SPOOL = 10_000
log = logging.getLogger(__name__)


class AnswerLog:
    """Writes answers to Redis; while it is away they wait in memory, the newest `SPOOL` of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: deque[Answer] = deque(maxlen=SPOOL)

    def add(self, answers: Iterable[Answer]) -> None:
        """Keep answers; never fails."""
        with self._lock:
            self._waiting.extend(answers)
        self.flush()

    def flush(self) -> None:
        """Write down what waits; without effect while Redis is away."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        if not taken:
            return
        try:
            self._store.log_answers(taken)
        except StoreUnavailable:
            with self._lock:
                newer = list(self._waiting)
                self._waiting.clear()
                self._waiting.extend([*taken, *newer])
                count = len(self._waiting)
            log.warning("Redis is not reachable: %d answers wait in memory to be written down", count)

    def given(self, project: int, task: int) -> list[Answer]:
        """The answers given for a task, oldest first.

        Raises:
            StoreUnavailable: Redis is away; `waiting` has those given since.
        """
        return [*self._store.answers(project, task), *self.waiting(project, task)]

    def waiting(self, project: int, task: int) -> list[Answer]:
        """Those of a task that are in memory only."""
        with self._lock:
            return [answer for answer in self._waiting if (answer.project, answer.task) == (project, task)]
