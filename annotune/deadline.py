"""A moment by which all the work for a request ends."""

import math
import threading
import time
from dataclasses import dataclass
from typing import Self

from annotune.errors import DeadlineExceeded


@dataclass(frozen=True)
class Deadline:
    """A moment of `time.monotonic()`, in seconds.

    It is made once, where a request arrives. The same value then goes through each call down to the socket.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    @classmethod
    def never(cls) -> Self:
        """A deadline that does not pass."""
        return cls(math.inf)

    @property
    def is_never(self) -> bool:
        return math.isinf(self.at)

    @property
    def left_s(self) -> float:
        """Seconds from now, 0 where it has passed. The most is `threading.TIMEOUT_MAX`, so that any lock takes it."""
        return min(max(self.at - time.monotonic(), 0), threading.TIMEOUT_MAX)

    def sooner(self, other: "Deadline") -> "Deadline":
        """The earlier of the two."""
        return self if self.at <= other.at else other

    def check(self) -> None:
        """Return if it has not passed.

        Raises:
            DeadlineExceeded: it has.
        """
        if self.left_s <= 0:
            raise DeadlineExceeded(
                "the request was not answered in time: ask for fewer tasks, or raise MODEL_DEADLINE_S"
            )
