"""From Redis into the folder of runs: pointers, prompts, and the split of each project's texts."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotune.errors import ConfigurationError, RecordUnreadable
from annotune.store.store import Store
from trainer.state_files import read_split, write_pointers, write_split

_log = logging.getLogger(__name__)


def back_up_all(store: Store, runs_dir: Path, mark: str) -> None:
    """Write what Redis knows of all projects.

    Raises:
        ConfigurationError: RUNS_DIR cannot be written to.
        StoreUnavailable: Redis is away.
    """
    for project in store.projects.all():
        back_up_pointers(store, runs_dir, project, mark)
        merge_splits(store, runs_dir, project)


def back_up_pointers(store: Store, runs_dir: Path, project: int, mark: str) -> None:
    """Write a project's pointers and prompts, if Redis has this mark. The log names what cannot be read.

    Raises:
        ConfigurationError: RUNS_DIR cannot be written to.
        StoreUnavailable: Redis is away.
    """
    try:
        mark_now, state = store.backup.read(project)
    except RecordUnreadable as error:
        _log.warning("project %d: its pointers and prompts are not backed up: %s", project, error)
        return
    if mark_now == mark:  # else Redis was emptied at this very moment
        with usable(runs_dir):
            write_pointers(runs_dir, project, state)


def merge_splits(store: Store, runs_dir: Path, project: int) -> None:
    """Give Redis and the folder each what the other has: a split stays, also where Redis lost its last second.

    The log names what cannot be read.

    Raises:
        ConfigurationError: RUNS_DIR cannot be written to.
        StoreUnavailable: Redis is away.
    """
    with usable(runs_dir):
        on_disk = read_split(runs_dir, project)
    try:
        in_redis = store.splits.all(project)
        if on_disk.keys() - in_redis.keys():
            store.splits.restore(project, on_disk, emptied=False)
    except RecordUnreadable as error:
        _log.warning("project %d: the split of its texts is not backed up: %s", project, error)
        return
    if (both := {**on_disk, **in_redis}) != on_disk:
        with usable(runs_dir):
            write_split(runs_dir, project, both)


@contextmanager
def usable(runs_dir: Path) -> Iterator[None]:
    """Turn an OSError into a ConfigurationError that names RUNS_DIR."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"RUNS_DIR={str(runs_dir)!r} cannot be used: {error.strerror}") from error
