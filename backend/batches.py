"""How the last batch ended: Label Studio (1.23) hides it from whoever began one."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypedDict

from annotune.errors import AnnotuneError


class Batch(TypedDict):
    """A request for more than one task, or one that was too large to be read: then `project` and `tasks` are not known.

    `reason` is the kind of the most frequent error, and empty where all was answered; the log has its sentence.
    """

    at: str
    project: int | None
    tasks: int | None
    answered: int
    reason: str


class Batches:
    """What this process knows of batches."""

    def __init__(self) -> None:
        self.last: Batch | None = None

    def note(self, project: int | None, tasks: int | None, errors: Sequence[AnnotuneError]) -> None:
        """A batch ended, with these errors. One task is no batch: somebody opened it."""
        if tasks == 1:
            return
        kinds = Counter(type(error).__name__ for error in errors)
        self.last = Batch(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            project=project,
            tasks=tasks,
            answered=0 if tasks is None else tasks - len(errors),
            reason=kinds.most_common(1)[0][0] if kinds else "",
        )
