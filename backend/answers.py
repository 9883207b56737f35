"""Asking the model server: admitted while threads are free, and once for the same question."""

import logging
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import contextmanager
from typing import Protocol

from annotune.errors import DeadlineExceeded, ModelServerBusy, ModelServerError, NotFound
from annotune.model import ModelRef, ServerName
from annotune.parallel import Deadline
from annotune.question import Options, Question, Reply
from annotune.servers.base import ModelServer
from annotune.settings import Settings

KEPT_FREE = 12  # one thread in so many
log = logging.getLogger(__name__)


class ServerPool(Protocol):
    """The model servers of this process, as `annotune.servers.pool.Servers`."""

    def get(self, name: ServerName) -> ModelServer: ...


class Answers:
    """Asks whichever server a project's live pointer names."""

    def __init__(self, settings: Settings, servers: ServerPool) -> None:
        self._settings = settings
        self._servers = servers
        # The other threads of a worker stay free for what is answered at once, such as `/health`.
        self._places = threading.BoundedSemaphore(max(1, settings.threads - max(1, settings.threads // KEPT_FREE)))
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Reply]] = {}

    @contextmanager
    def admitted(self) -> Iterator[None]:
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

    def ask_once(self, key: Hashable, ask: Callable[[], Reply], deadline: Deadline) -> Reply:
        """`ask()`, or what another thread that is asking under the same key gets.

        Label Studio asks twice at once when a task is opened by its address.
        """
        with self._lock:
            running = self._running.get(key)
            if running is None:
                mine = self._running[key] = Future()
        if running is not None:
            try:
                return running.result(deadline.left_s)
            except NotInTime as error:
                raise DeadlineExceeded("the same question, asked a moment before, was not answered in time") from error
        try:
            mine.set_result(ask())
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._running[key]
        return mine.result()
