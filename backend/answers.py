"""Asking the model server: one task's answers, side by side, within one deadline."""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as NotInTime
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from annotune.completion import ChatRequest, Completion, Message
from annotune.errors import AnswerRefused, DeadlineExceeded, ModelServerBusy, ModelServerError, NotFound
from annotune.model import ModelRef, ServerName
from annotune.servers.base import ModelServer
from annotune.settings import Settings

KEPT_FREE = 12  # one thread in so many
Result = TypeVar("Result")
log = logging.getLogger(__name__)


class ServerPool(Protocol):
    """The model servers of this process, as `annotune.servers.pool.Servers`."""

    def get(self, name: ServerName) -> ModelServer: ...


@dataclass(frozen=True)
class Deadline:
    """A moment of `time.monotonic()` by which all of a request is answered."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    @property
    def left_s(self) -> float:
        """Raises DeadlineExceeded where nothing is left."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(
                "the request was not answered in time: ask for fewer tasks, or raise MODEL_DEADLINE_S"
            )
        return left


class Answers:
    """Asks whichever server a project's live pointer names."""

    def __init__(self, settings: Settings, servers: ServerPool) -> None:
        self._settings = settings
        self._servers = servers
        # The other threads of a worker stay free for what is answered at once, such as `/health`.
        self._places = threading.BoundedSemaphore(max(1, settings.threads - max(1, settings.threads // KEPT_FREE)))
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[tuple[str, ...]]] = {}

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

    def ask(self, ref: ModelRef, messages: tuple[Message, ...], deadline: Deadline) -> tuple[str, ...]:
        """The distinct answers among the `NUM_RESPONSES` asked for, stripped.

        An answer that was cut by `MAX_TOKENS` is given all the same, since a person can go on from it; the log says so.

        Raises:
            ModelServerError: the server did not answer, or with empty texts only.
            PromptTooLong: the messages do not fit the model's window.
        """
        server = self._servers.get(ref.server)
        request = ChatRequest(
            model=ref.model,
            messages=messages,
            temperature=self._settings.temperature,
            num_ctx=ref.num_ctx or self._settings.num_ctx,
            max_tokens=self._settings.max_tokens,
        )

        def once() -> Completion:
            return server.chat(request, deadline_s=deadline.left_s)

        try:
            completions = side_by_side([once] * self._settings.num_responses, self._settings.calls_per_worker)
        except NotFound as error:  # at the door, 404 would say that the route is missing
            raise ModelServerError(str(error)) from error
        for completion in completions:
            if completion.finish == "length":
                log.warning("%s was cut after %d tokens: raise MAX_TOKENS", ref, completion.tokens)
        texts = tuple(dict.fromkeys(text for text in (completion.text.strip() for completion in completions) if text))
        if not texts:
            raise AnswerRefused(f"{ref} answered with an empty text: try again, or change the prompt")
        return texts

    def ask_once(self, key: Hashable, ask: Callable[[], tuple[str, ...]], deadline: Deadline) -> tuple[str, ...]:
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


def side_by_side(calls: Sequence[Callable[[], Result]], limit: int) -> list[Result]:
    """The results in order; the first error ends it at once, and calls that have not begun are not made."""
    if len(calls) == 1:
        return [calls[0]()]
    pool = ThreadPoolExecutor(max(1, min(limit, len(calls))), thread_name_prefix="predict")
    try:
        futures = [pool.submit(call) for call in calls]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for failed in (future.exception() for future in done):
            if failed is not None:
                raise failed
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
