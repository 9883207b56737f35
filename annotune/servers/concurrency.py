"""The one owner of limit, deadline and retry for calls to a model server."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable

from annotune.chat import ChatRequest, Completion
from annotune.errors import DeadlineExceeded, ModelServerBusy
from annotune.servers.base import ModelServer

TRIES = 3
FIRST_WAIT_S = 0.5


class PrioritySemaphore:
    """So many places; who waits gets one in turn, people before batch work."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._lock = threading.Lock()
        self._waiting: dict[bool, deque[threading.Event]] = {True: deque(), False: deque()}

    def acquire(self, *, urgent: bool, timeout_s: float) -> bool:
        """Wait for a place. False: none came free in time."""
        with self._lock:
            if self._free and not self._waiting[True] and (urgent or not self._waiting[False]):
                self._free -= 1
                return True
            mine = threading.Event()
            self._waiting[urgent].append(mine)
        if mine.wait(timeout_s):
            return True
        with self._lock:
            if mine.is_set():  # it came at the last moment
                return True
            self._waiting[urgent].remove(mine)
        return False

    def release(self) -> None:
        """Hand a place to whoever is next."""
        with self._lock:
            for urgent in (True, False):
                if self._waiting[urgent]:
                    self._waiting[urgent].popleft().set()
                    return
            self._free += 1


class LimitedServer:
    """A `ModelServer` that is called at most `calls` times at once; a person's request goes before batch work.

    A busy server is asked again after its Retry-After, or after 0.5 s, 1 s with jitter, within the deadline; nothing else
    is tried twice. Waiting for a place counts against the deadline.
    """

    def __init__(self, server: ModelServer, calls: int, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._server = server
        self._pause = pause
        self._places = PrioritySemaphore(calls)
        self.name = server.name
        self.url = server.url

    def chat(self, request: ChatRequest, *, deadline_s: float) -> Completion:
        """Ask, as `ModelServer.chat`."""
        ends = time.monotonic() + deadline_s
        if not self._places.acquire(urgent=request.urgent, timeout_s=deadline_s):
            raise DeadlineExceeded(
                f"no place at {self.name} at {self.url} within {deadline_s:.0f} s: raise MODEL_CONCURRENCY or try again"
            )
        try:
            return self._chat(request, ends)
        finally:
            self._places.release()

    def _chat(self, request: ChatRequest, ends: float) -> Completion:
        for tries_left in reversed(range(TRIES)):
            left = ends - time.monotonic()
            if left <= 0:
                break
            try:
                return self._server.chat(request, deadline_s=left)
            except ModelServerBusy as busy:
                wait = busy.retry_after_s
                if wait is None:
                    wait = FIRST_WAIT_S * 2 ** (TRIES - 1 - tries_left) * random.uniform(0.5, 1)  # noqa: S311 - jitter
                if not tries_left or wait > ends - time.monotonic():
                    raise
                self._pause(wait)
        raise DeadlineExceeded(f"{self.name} at {self.url} did not answer in time; try again")

    def check(self, *, deadline_s: float) -> None:
        """As `ModelServer.check`."""
        self._server.check(deadline_s=deadline_s)

    def close(self) -> None:
        """As `ModelServer.close`."""
        self._server.close()
