"""What is due in many projects, read and written in few requests; a project whose records are odd is passed over."""

import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from redis import Redis, RedisError

from annotune.errors import RecordUnreadable
from annotune.store.keys import Keys
from annotune.store.redis import redis_errors
from annotune.store.scripts import NOTE_CHANGE

QUEUED_S = 60
PAGE = 200
_HELD = ("training", "lease:training", "lease:changed")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Due:
    """A project that a training is wanted for, or that changed since the last look, and that no job holds."""

    project: int
    training: bool
    changed: bool


def pages(projects: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(projects), PAGE):
        yield projects[first : first + PAGE]


def due(client: Redis, keys: Keys, projects: Sequence[int]) -> list[Due]:
    """What is due in any of these projects. Raises StoreUnavailable."""
    found = []
    for page in pages(projects):
        pipe = client.pipeline(transaction=False)
        for project in page:
            pipe.mget(keys.of(project, "changes"), keys.of(project, "looked"))
            for name in _HELD:
                pipe.exists(keys.of(project, name))
        with redis_errors():
            answers = iter(pipe.execute())
        for project in page:
            (changes, looked), wanted, training, looking = islice(answers, 1 + len(_HELD))
            each = Due(project, bool(wanted and not training), (changes or "0") != (looked or "0") and not looking)
            found += [each] if each.training or each.changed else []
    return found


def note_changes(client: Redis, keys: Keys, projects: Sequence[int]) -> list[int]:
    """Raise the counters of projects; those that a "changed" job must be queued for. Raises StoreUnavailable."""
    found = []
    for page in pages(projects):
        pipe = client.pipeline(transaction=False)
        for project in page:
            counter = keys.of(project, "changes")
            pipe.eval(NOTE_CHANGE, 2, counter, keys.of(project, "queued"), uuid.uuid4().hex, QUEUED_S)
        with redis_errors():
            answers = pipe.execute(raise_on_error=False)
        for project, answer in zip(page, answers, strict=True):
            try:
                with redis_errors(keys.of(project, "changes")):
                    if isinstance(answer, RedisError):
                        raise answer
            except RecordUnreadable as error:
                if len(projects) == 1:
                    raise
                _log.warning("project %d: passed over: %s", project, error)
            else:
                found += [project] if answer else []
    return found
