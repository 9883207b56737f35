"""The one owner of limit, deadline and retry for calls to a model server."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable

from annotune.chat import ChatRequest, Completion
from annotune.deadline import Deadline
from annotune.errors import DeadlineExceeded, ModelServerBusy
from annotune.servers.base import ModelServer

TRIES = 3
FIRST_WAIT_S = 0.5


class PrioritySemaphore:
    """A semaphore with two queues: urgent callers go first, and each queue is served in order of arrival."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._lock = threading.Lock()
        self._waiting: dict[bool, deque[threading.Event]] = {True: deque(), False: deque()}

    def acquire(self, deadline: Deadline, *, urgent: bool) -> bool:
        """Wait for a place. False: none was free before the deadline."""
        with self._lock:
            if self._free and not self._waiting[True] and (urgent or not self._waiting[False]):
                self._free -= 1
                return True
            turn = threading.Event()
            self._waiting[urgent].append(turn)
        if turn.wait(deadline.left_s):
            return True
        with self._lock:
            if turn.is_set():  # the place came at the last moment
                return True
            self._waiting[urgent].remove(turn)
        return False

    def release(self) -> None:
        """Hand the place to the next caller."""
        with self._lock:
            for urgent in (True, False):
                if self._waiting[urgent]:
                    self._waiting[urgent].popleft().set()
                    return
            self._free += 1


class LimitedServer:
    """A `ModelServer` that is called at most `calls` times at once; a person's request goes before batch work.

    A busy server is asked again after its Retry-After, else after 0.5 s and 1 s with jitter, within the deadline. No other
    error is retried. The wait for a place counts against the deadline.
    """

    def __init__(self, server: ModelServer, calls: int, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._server = server
        self._pause = pause
        self._places = PrioritySemaphore(calls)
        self.name = server.name
        self.url = server.url
        self.capabilities = server.capabilities

    def chat(self, request: ChatRequest, deadline: Deadline) -> Completion:
        """As `ModelServer.chat`."""
        deadline.check()
        left_s = deadline.left_s
        if not self._places.acquire(deadline, urgent=request.urgent):
            raise DeadlineExceeded(
                f"no place at {self.name} at {self.url} within {left_s:.0f} s: raise MODEL_CONCURRENCY or try again"
            )
        try:
            return self._chat(request, deadline)
        finally:
            self._places.release()

    def _chat(self, request: ChatRequest, deadline: Deadline) -> Completion:
        for number in range(TRIES):
            if not deadline.left_s:
                break
            try:
                return self._server.chat(request, deadline)
            except ModelServerBusy as busy:
                wait_s = busy.retry_after_s
                if wait_s is None:
                    wait_s = FIRST_WAIT_S * 2**number * random.uniform(0.5, 1)  # noqa: S311 - jitter
                if number + 1 == TRIES or wait_s > deadline.left_s:
                    raise
                self._pause(wait_s)
        raise DeadlineExceeded(f"{self.name} at {self.url} did not answer in time; try again")

    def check(self, deadline: Deadline) -> None:
        """As `ModelServer.check`."""
        self._server.check(deadline)

    def close(self) -> None:
        """As `ModelServer.close`."""
        self._server.close()
