"""Asking the model server: admitted while threads are free, and once for the same question."""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import contextmanager
from typing import Protocol

from annotune.deadline import Deadline
from annotune.errors import DeadlineExceeded, ModelServerBusy, ModelServerError, NotFound
from annotune.models import ModelRef, ServerName
from annotune.options import Options
from annotune.question import Question
from annotune.reply import Reply
from annotune.servers.base import ModelServer
from annotune.settings import Settings

KEPT_FREE = 12  # one thread in so many
CACHED_S = 10.0
MAX_CACHED = 2048
log = logging.getLogger(__name__)


class ServerPool(Protocol):
    """The model servers of this process, as `annotune.servers.pool.Servers`."""

    def get(self, name: ServerName) -> ModelServer: ...


class ModelCalls:
    """Asks whichever server a project's live pointer names."""

    def __init__(self, settings: Settings, servers: ServerPool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._servers = servers
        # The other threads of a worker stay free for what is answered at once, such as `/health`.
        self._places = threading.BoundedSemaphore(max(1, settings.threads - max(1, settings.threads // KEPT_FREE)))
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Reply]] = {}
        self._kept: dict[Hashable, tuple[float, Reply]] = {}

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a place for a request that will wait for answers.

        Raises:
            ModelServerBusy: nearly all threads wait for answers already.
        """
        if not self._places.acquire(blocking=False):
            raise ModelServerBusy("too many requests wait for answers already: try again in a minute, or raise THREADS")
        try:
            yield
        finally:
            self._places.release()

    def ask(self, question: Question, ref: ModelRef, options: Options, deadline: Deadline, *, urgent: bool) -> Reply:
        """The model's reply to a question.

        Raises:
            ModelServerError: the server did not answer, or not with what fits.
            PromptTooLong: the messages do not fit the model's window.
        """
        server = self._servers.get(ref.server)
        calls = self._settings.calls_per_worker
        try:
            reply = question.ask(server, ref, options, deadline, urgent=urgent, calls=calls)
        except NotFound as error:  # at the door, 404 would say that the route is missing
            raise ModelServerError(str(error)) from error
        if reply.cut:
            log.warning("%s was cut after %d tokens: raise MAX_TOKENS", ref, options.max_tokens)
        return reply

    def ask_once(self, key: Hashable, ask: Callable[[], Reply], deadline: Deadline, *, cache: bool) -> Reply:
        """`ask()`, or what another thread that is asking under the same key gets.

        Label Studio asks twice at once when a task is opened by its address. `remember`: the reply is kept for
        `REMEMBERED_S`, and one that is kept is given.
        """
        with self._lock:
            kept = self._kept.get(key) if cache else None
            if kept is not None and self._clock() < kept[0]:
                return kept[1]
            running = self._running.get(key)
            if running is None:
                mine = self._running[key] = Future()
        if running is not None:
            try:
                return running.result(deadline.left_s)
            except NotInTime as error:
                raise DeadlineExceeded("the same question, asked a moment before, was not answered in time") from error
        try:
            reply = ask()
            mine.set_result(reply)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._running[key]
            del mine  # it holds the error, whose traceback holds this frame
        if cache:
            self._keep(key, reply)
        return reply

    def _keep(self, key: Hashable, reply: Reply) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (self._clock() + CACHED_S, reply)
            while len(self._kept) > MAX_CACHED or next(iter(self._kept.values()))[0] < self._clock():
                del self._kept[next(iter(self._kept))]
