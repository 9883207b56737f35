"""A moment by which all of a request ends."""

import time
from dataclasses import dataclass

from annotune.errors import DeadlineExceeded


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
