"""The one owner of limit, deadline and retry for calls to a model server."""

import random
import threading
import time
from collections.abc import Callable

from annotune.completion import ChatRequest, Completion
from annotune.errors import DeadlineExceeded, ModelServerBusy
from annotune.servers.base import ModelServer

TRIES = 3
FIRST_WAIT_S = 0.5


class Limited:
    """A `ModelServer` that is called at most `calls` times at once.

    A busy server is asked again after its Retry-After, or after 0.5 s, 1 s with jitter, within the deadline; nothing else
    is tried twice. Waiting for a place counts against the deadline.
    """

    def __init__(self, server: ModelServer, calls: int, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._server = server
        self._pause = pause
        self._places = threading.BoundedSemaphore(calls)
        self.name = server.name
        self.url = server.url

    def chat(self, request: ChatRequest, *, deadline_s: float) -> Completion:
        """Ask, as `ModelServer.chat`."""
        ends = time.monotonic() + deadline_s
        if not self._places.acquire(timeout=deadline_s):
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
