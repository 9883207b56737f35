"""Calls to a model server that may be restarting."""

import time
from collections.abc import Callable
from typing import TypeVar

from annotune.errors import ModelServerBusy, ModelServerUnreachable

PATIENCE_S = 180
PAUSE_S = 2

T = TypeVar("T")


def retry_until_available(call: Callable[[], T], *, patience_s: float = PATIENCE_S) -> T:
    """Call until the server answers.

    Raises:
        ModelServerUnreachable, ModelServerBusy: it did not within `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return call()
        except (ModelServerUnreachable, ModelServerBusy):
            if time.monotonic() + PAUSE_S > deadline:
                raise
            time.sleep(PAUSE_S)
