"""What a reviewer decided about an annotation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

VerdictKind = Literal["accept", "correct", "reject", "wrong reference"]


@dataclass(frozen=True)
class ReviewVerdict:
    """A reviewer's verdict.

    `answer` is the reviewer's own, for `correct`; None if the reviewer gave none. `reviewed` is the answer that the reviewer
    saw. `annotator` is the reviewer's id in Label Studio, `at` when the verdict was last changed.
    """

    kind: VerdictKind
    answer: str | None
    annotator: int | None
    at: datetime
    reviewed: str | None = None

    def holds_for(self, answer: str) -> bool:
        """Whether it is about this answer. One that was changed after the review was never accepted, nor rejected."""
        return (
            self.kind in {"correct", "wrong reference"}
            or self.reviewed is None
            or self.reviewed.strip() == answer.strip()
        )
