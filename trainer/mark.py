"""The mark by which a worker knows its Redis: an id that is in Redis and in `RUNS_DIR/mark.json`.

| in Redis | on disk | what it means, and what is done |
| --- | --- | --- |
| the same | the same | all is well: what Redis knows is written down |
| none | one | Redis was emptied: what is on disk is restored before anything is written down |
| one | none | a new disk: what Redis knows of all projects is written down, then the mark |
| none | none | the first start: both get one |
| one | another | another Redis, or another disk: nothing is written down and nothing restored |
"""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotune.errors import ConfigurationError, RecordUnreadable
from annotune.files import atomic_write
from annotune.store.store import Store
from annotune.values import FrozenModel
from trainer.restoration import restore
from trainer.state_files import read_split, write_pointers, write_split

MARK = "mark.json"

_log = logging.getLogger(__name__)


class Mark(FrozenModel):
    """`RUNS_DIR/mark.json`: the deployment and the Redis that the folder belongs to."""

    deployment: str
    id: str


def settle(store: Store, runs_dir: Path) -> Mark:
    """Compare the marks, and do what the table above says. Again changes nothing.

    Returns:
        The mark that both have.

    Raises:
        ConfigurationError: they belong to others, or RUNS_DIR cannot be used; the message says what to do.
        StoreUnavailable: Redis is away, or keeps nothing.
    """
    found, there = read_mark(runs_dir), store.backup.mark()
    if found is None:
        return adopt(store, runs_dir)
    if is_foreign(store, found, there):
        raise ConfigurationError(
            f"RUNS_DIR={str(runs_dir)!r} is of deployment {found.deployment!r} and Redis {found.id[:8]}, and REDIS_URL and"
            f" DEPLOYMENT name {store.keys.deployment!r} and {there[:8] or 'an empty one'}: pointers and prompts are neither"
            " kept nor restored. Set the three to what belongs together, or run 'annotune models rebuild' where the worker"
            " runs: it adds what the folder holds to this Redis, and makes the two one"
        )
    if not there:
        _log.error("Redis was emptied: it gets back what %s holds", runs_dir)
        back = restore(store, runs_dir, emptied=True)
        _log.error(
            "%d versions and %d live pointers of %d projects came back",
            back.versions,
            back.pointers,
            len(back.projects),
        )
        if store.backup.claim(found.id) != found.id:  # another worker, with another disk, was first
            return settle(store, runs_dir)
    return found


def adopt(store: Store, runs_dir: Path, wished: str = "") -> Mark:
    """Let the two belong together: write down what Redis knows of all projects, then its mark (`wished` if it has none).

    Projects that the folder alone knows are restored before.

    Raises:
        ConfigurationError: RUNS_DIR cannot be written to.
        StoreUnavailable: Redis is away, or keeps nothing.
    """
    with _usable(runs_dir):  # else a mark would promise what nobody keeps
        runs_dir.mkdir(parents=True, exist_ok=True)
        atomic_write(runs_dir / f".{MARK}", "")
        (runs_dir / f".{MARK}").unlink(missing_ok=True)
    restore(store, runs_dir, emptied=False, unknown_only=True)
    mark = Mark(deployment=store.keys.deployment, id=store.backup.claim(wished or uuid.uuid4().hex))
    keep_all(store, runs_dir, mark)
    with _usable(runs_dir):
        atomic_write(runs_dir / MARK, mark.model_dump_json() + "\n")
    return mark


def keep_pointers(store: Store, runs_dir: Path, project: int) -> None:
    """Write down what of a project Redis alone knows; where that must not be, the log says why.

    Raises:
        StoreUnavailable: Redis is away, or keeps nothing.
    """
    try:
        _keep(store, runs_dir, project, settle(store, runs_dir))
    except ConfigurationError as error:
        _log.warning("project %d: its pointers and prompts are not written down: %s", project, error)


def keep_all(store: Store, runs_dir: Path, mark: Mark) -> None:
    """Write down what Redis knows of all projects, if it has this mark.

    Raises:
        ConfigurationError: RUNS_DIR cannot be written to.
        StoreUnavailable: Redis is away.
    """
    for project in store.projects.all():
        _keep(store, runs_dir, project, mark)


def read_mark(runs_dir: Path) -> Mark | None:
    """The mark of a folder; None where it has none.

    Raises:
        ConfigurationError: it cannot be read.
    """
    path = runs_dir / MARK
    with _usable(runs_dir):
        if not path.is_file():
            return None
        text = path.read_bytes()
    try:
        return Mark.parse_record(text, str(path))
    except RecordUnreadable as error:
        raise ConfigurationError(f"{error}: delete it, if this folder belongs to this Redis") from error


def is_foreign(store: Store, found: Mark, there: str) -> bool:
    """Does the folder belong to another deployment or Redis? `there` is the mark in Redis, empty for none."""
    return found.deployment != store.keys.deployment or there not in {"", found.id}


def _keep(store: Store, runs_dir: Path, project: int, mark: Mark) -> None:
    try:
        there, kept = store.backup.read(project)
        if there == mark.id:  # else Redis was emptied at this very moment
            with _usable(runs_dir):
                write_pointers(runs_dir, project, kept)
    except RecordUnreadable as error:
        _log.warning("project %d: its pointers and prompts are not written down: %s", project, error)
    try:
        _keep_sides(store, runs_dir, project)
    except RecordUnreadable as error:
        _log.warning("project %d: the sides of its texts are not written down: %s", project, error)


def _keep_sides(store: Store, runs_dir: Path, project: int) -> None:
    """Let Redis and the folder both have what either has: a side stays, also where Redis lost its last second."""
    with _usable(runs_dir):
        kept = read_split(runs_dir, project)
    there = store.splits.all(project)
    if kept.keys() - there.keys():
        store.splits.restore(project, kept, emptied=False)
    if (both := {**kept, **there}) != kept:
        with _usable(runs_dir):
            write_split(runs_dir, project, both)


@contextmanager
def _usable(runs_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"RUNS_DIR={str(runs_dir)!r} cannot be used: {error.strerror}") from error
