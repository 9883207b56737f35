"""The mark that pairs a Redis with a folder of runs: an id that is in Redis and in `RUNS_DIR/mark.json`.

| in Redis | on disk | what it means, and what is done |
| --- | --- | --- |
| the same | the same | all is well: the caller backs up what Redis knows |
| none | one | Redis was emptied: what is on disk is restored before anything is backed up |
| one | none | a new disk: what Redis knows of all projects is backed up, then the mark |
| none | none | the first start: both get one |
| one | another | another Redis, or another disk: nothing is backed up and nothing restored |
"""

import logging
import uuid
from collections.abc import Sequence
from pathlib import Path

from annotune.errors import ConfigurationError, RecordUnreadable
from annotune.files import atomic_write
from annotune.split import SplitAssignment
from annotune.store.store import Store
from annotune.values import FrozenModel
from trainer.backup import back_up_all, back_up_pointers, merge_splits, usable
from trainer.restoration import restore

MARK = "mark.json"

_log = logging.getLogger(__name__)


class Mark(FrozenModel):
    """`RUNS_DIR/mark.json`: the deployment and the Redis that the folder belongs to."""

    deployment: str
    id: str


def ensure_paired(store: Store, runs_dir: Path) -> Mark:
    """Compare the marks, and do what the table above says. Doing it again changes nothing.

    Returns:
        The mark that both have.

    Raises:
        ConfigurationError: they belong to others, or RUNS_DIR cannot be used; the message says what to do.
        StoreUnavailable: Redis is away, or keeps nothing.
    """
    on_disk, in_redis = read_mark(runs_dir), store.backup.mark()
    if on_disk is None:
        return pair(store, runs_dir)
    if is_foreign(store, on_disk, in_redis):
        raise ConfigurationError(
            f"RUNS_DIR={str(runs_dir)!r} is of deployment {on_disk.deployment!r} and Redis {on_disk.id[:8]}, and REDIS_URL"
            f" and DEPLOYMENT name {store.keys.deployment!r} and {in_redis[:8] or 'an empty one'}: pointers and prompts are"
            " neither backed up nor restored. Set the three to what belongs together, or run 'annotune models rebuild'"
            " where the worker runs: it adds what the folder holds to this Redis, and makes the two one"
        )
    if in_redis:
        return on_disk
    _log.error("Redis was emptied: it gets back what %s holds", runs_dir)
    back = restore(store, runs_dir, emptied=True)
    _log.error(
        "%d versions and %d live pointers of %d projects came back", back.versions, back.pointers, len(back.projects)
    )
    if store.backup.claim(on_disk.id) != on_disk.id:  # another worker, with another disk, was first
        return ensure_paired(store, runs_dir)
    return on_disk


def pair(store: Store, runs_dir: Path, preferred: str = "") -> Mark:
    """Give both the mark of Redis, which gets `preferred` (or a new one) if it has none.

    Projects that the folder alone knows are restored first. Then all projects are backed up, and the mark is written last.

    Raises:
        ConfigurationError: RUNS_DIR cannot be written to.
        StoreUnavailable: Redis is away, or keeps nothing.
    """
    _check_writable(runs_dir)  # a mark in Redis promises a backup
    restore(store, runs_dir, emptied=False, unknown_only=True)
    mark = Mark(deployment=store.keys.deployment, id=store.backup.claim(preferred or uuid.uuid4().hex))
    back_up_all(store, runs_dir, mark.id)
    with usable(runs_dir):
        atomic_write(runs_dir / MARK, mark.model_dump_json() + "\n")
    return mark


def restore_if_emptied(store: Store, runs_dir: Path, project: int) -> Mark | None:
    """As `ensure_paired`. None if the two cannot be paired: the log names the cause, and work goes on without a backup.

    Raises:
        StoreUnavailable: Redis is away, or keeps nothing.
    """
    try:
        return ensure_paired(store, runs_dir)
    except ConfigurationError as error:
        _log.warning("project %d: its pointers and prompts are not backed up: %s", project, error)
        return None


def back_up_project(store: Store, runs_dir: Path, project: int) -> None:
    """Write what Redis alone knows of a project, once the two are paired. The log says where that cannot be.

    Raises:
        StoreUnavailable: Redis is away, or keeps nothing.
    """
    try:
        back_up_pointers(store, runs_dir, project, ensure_paired(store, runs_dir).id)
    except ConfigurationError as error:
        _log.warning("project %d: its pointers and prompts are not backed up: %s", project, error)


def assign_splits(  # noqa: PLR0917 - as the store's, with the folder
    store: Store,
    runs_dir: Path,
    project: int,
    texts: Sequence[str],
    min_examples: int,
    groups: Sequence[str] = (),
) -> SplitAssignment:
    """Decide the split of texts that have none, and back it up. What Redis lost comes back before anything is decided.

    Raises:
        StoreUnavailable: Redis is away, or keeps nothing.
        RecordUnreadable: Redis holds something else.
    """
    paired = restore_if_emptied(store, runs_dir, project) is not None
    if paired:
        _merge_splits(store, runs_dir, project)
    assigned = store.splits.assign(project, texts, min_examples, groups)
    if paired and assigned.new:
        _merge_splits(store, runs_dir, project)
    return assigned


def read_mark(runs_dir: Path) -> Mark | None:
    """The mark of a folder; None if it has none.

    Raises:
        ConfigurationError: it cannot be read.
    """
    path = runs_dir / MARK
    with usable(runs_dir):
        if not path.is_file():
            return None
        text = path.read_bytes()
    try:
        return Mark.parse_record(text, str(path))
    except RecordUnreadable as error:
        raise ConfigurationError(f"{error}: delete it, if this folder belongs to this Redis") from error


def is_foreign(store: Store, on_disk: Mark, in_redis: str) -> bool:
    """Whether the folder belongs to another deployment or Redis. `in_redis` is the mark there, empty for none."""
    return on_disk.deployment != store.keys.deployment or in_redis not in {"", on_disk.id}


def _merge_splits(store: Store, runs_dir: Path, project: int) -> None:
    try:
        merge_splits(store, runs_dir, project)
    except ConfigurationError as error:
        _log.warning("project %d: the split of its texts is not backed up: %s", project, error)


def _check_writable(runs_dir: Path) -> None:
    with usable(runs_dir):
        runs_dir.mkdir(parents=True, exist_ok=True)
        atomic_write(runs_dir / f".{MARK}", "")
        (runs_dir / f".{MARK}").unlink(missing_ok=True)
