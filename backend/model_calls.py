"""Calls of the model server: a limit on waiting requests, and one call for equal questions that come at once."""

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

THREADS_PER_FREE_THREAD = 12
CACHED_S = 10.0
MAX_CACHED = 2048
log = logging.getLogger(__name__)


class ServerPool(Protocol):
    """The model servers of this process, as `annotune.servers.pool.Servers`."""

    def get(self, name: ServerName) -> ModelServer: ...


class ModelCalls:
    """Calls model servers for the request threads of this process."""

    def __init__(self, settings: Settings, servers: ServerPool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._servers = servers
        # The other threads stay free for requests that need no model, such as `/health`.
        free_threads = max(1, settings.threads // THREADS_PER_FREE_THREAD)
        self._slots = threading.BoundedSemaphore(max(1, settings.threads - free_threads))
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Reply]] = {}
        self._cache: dict[Hashable, tuple[float, Reply]] = {}

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot while a request waits for the model.

        Raises:
            ModelServerBusy: all slots are taken.
        """
        if not self._slots.acquire(blocking=False):
            raise ModelServerBusy(
                "too many requests wait for the model already: try again in a minute, or raise THREADS"
            )
        try:
            yield
        finally:
            self._slots.release()

    def ask(self, question: Question, ref: ModelRef, options: Options, deadline: Deadline, *, urgent: bool) -> Reply:
        """The model's reply to a question.

        Raises:
            ModelServerError: the server did not answer, or its answer does not fit the labeling config.
            PromptTooLong: the messages do not fit the model's window.
        """
        server = self._servers.get(ref.server)
        calls = self._settings.calls_per_worker
        try:
            reply = question.ask(server, ref, options, deadline, urgent=urgent, calls=calls)
        except NotFound as error:  # a reply with status 404 would say that our route is missing
            raise ModelServerError(str(error)) from error
        if reply.cut:
            log.warning("%s was cut after %d tokens: raise MAX_TOKENS", ref, options.max_tokens)
        return reply

    def ask_once(self, key: Hashable, ask: Callable[[], Reply], deadline: Deadline, *, cache: bool) -> Reply:
        """The result of `ask()`; if another thread is calling it under the same key, that thread's result.

        Label Studio sends two equal requests at once when a task is opened by its address.

        Args:
            key: equal for equal questions.
            ask: calls the model.
            deadline: limits the wait for another thread.
            cache: keep the reply for `CACHED_S`, and return a kept one.

        Raises:
            DeadlineExceeded: the other thread's call took too long. Errors of `ask` are raised in both threads.
        """
        with self._lock:
            cached = self._cache.get(key) if cache else None
            if cached is not None and self._clock() < cached[0]:
                return cached[1]
            running = self._running.get(key)
            if running is None:
                own = self._running[key] = Future()
        if running is not None:
            try:
                return running.result(deadline.left_s)
            except NotInTime as error:
                raise DeadlineExceeded("an equal question, asked a moment before, was not answered in time") from error
        try:
            reply = ask()
            own.set_result(reply)
        except BaseException as error:
            own.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._running[key]
            del own  # it holds the error, and the error's traceback holds this frame
        if cache:
            self._store_reply(key, reply)
        return reply

    def _store_reply(self, key: Hashable, reply: Reply) -> None:
        with self._lock:
            self._cache.pop(key, None)
            self._cache[key] = (self._clock() + CACHED_S, reply)
            while len(self._cache) > MAX_CACHED or next(iter(self._cache.values()))[0] < self._clock():
                del self._cache[next(iter(self._cache))]
