"""A dataset's folder, replaced as a whole: a reader, or a build that is killed, finds the old one or the new one."""

import ctypes
import fcntl
import filecmp
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotune.errors import InUse, RequestInvalid
from curation.dataset import SIDES
from curation.dataset_card import CARD
from curation.manifest import MANIFEST, read_manifest

FILES = (*(f"{name}.jsonl" for name in SIDES), CARD, MANIFEST)
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux


class DatasetFolder:
    """The folder that a dataset goes to."""

    def __init__(self, path: Path) -> None:
        """The folder `path`; where that is a link, what it points to.

        Raises:
            RequestInvalid: there is something else than a dataset that Annotune wrote.
        """
        self.path = path.resolve()
        if self.path.is_dir() and any(self.path.iterdir()):
            try:
                read_manifest(self.path)
            except RequestInvalid as error:
                raise RequestInvalid(f"{error}; what is there stays: name another folder") from error
        elif self.path.exists() and not self.path.is_dir():
            raise RequestInvalid(f"{str(path)!r} is a file: name a folder")

    @contextmanager
    def beside(self) -> Iterator[Path]:
        """An empty folder beside it to write to, which is deleted after the block.

        Raises:
            InUse: another process writes this dataset.
            RequestInvalid: no folder can be made there.
        """
        part = self.path.with_name(f".{self.path.name}.building")
        try:
            part.mkdir(parents=True, exist_ok=True)
            held = os.open(part, os.O_RDONLY)
        except OSError as error:
            raise RequestInvalid(f"nothing can be written beside {str(self.path)!r}: {error.strerror}") from error
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(held)
            raise InUse(f"another process builds {str(self.path)!r} now: wait for its end") from error
        try:
            _empty(part)
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)
            os.close(held)

    def holds(self, part: Path) -> bool:
        """Whether the folder holds the very dataset of `part`."""
        return all(_same(part / name, self.path / name) for name in FILES)

    def replace_by(self, part: Path) -> None:
        """Put `part` in the folder's place. What else the folder has is kept.

        Raises:
            RequestInvalid: the folder cannot be replaced.
        """
        try:
            if not self.path.exists():
                part.rename(self.path)
                return
            for other in self.path.iterdir():
                if other.name not in FILES:
                    _copy(other, part / other.name)
            _exchange(part, self.path)
        except OSError as error:
            raise RequestInvalid(
                f"the folder {str(self.path)!r} cannot be replaced: {error.strerror}: name one inside a folder that you may"
                " write to"
            ) from error


def _exchange(first: Path, second: Path) -> None:
    """Exchange two folders in one step. A file system that cannot gets two renames."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None or rename(
        _AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), ctypes.c_uint(_RENAME_EXCHANGE)
    ):
        away = first.with_name(f"{first.name}.old")
        shutil.rmtree(away, ignore_errors=True)
        second.rename(away)
        first.rename(second)
        away.rename(first)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)
