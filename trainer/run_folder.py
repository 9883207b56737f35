"""The folders of runs: `RUNS_DIR/p<project>/<run>/`. Each has a manifest, which is written last."""

import logging
import shutil
import time
from contextlib import suppress
from pathlib import Path

from annotune.errors import RecordUnreadable, TrainingRefused
from annotune.files import atomic_write
from annotune.runs import TrainingRun

MANIFEST = "manifest.json"
BASES = "bases"
GIB = 1 << 30
LONGEST_PREPARE_S = 3600
GGUF = "model.gguf"
INTERMEDIATES = ("merged", "trainer", "compiled", "f16.gguf")
WEIGHTS = ("adapter", GGUF)

_log = logging.getLogger(__name__)


def run_folder(runs_dir: Path, project: int, run: str) -> Path:
    return runs_dir.absolute() / f"p{project}" / run


def write_manifest(folder: Path, run: TrainingRun) -> None:
    """Write a run's manifest: a run without one has not ended."""
    atomic_write(folder / MANIFEST, run.model_dump_json(indent=1) + "\n")


def read_runs(runs_dir: Path, project: int | None = None) -> list[TrainingRun]:
    """All ended runs, oldest first. A manifest that cannot be read is left out, and the log names it."""
    found = []
    for path in runs_dir.glob(f"p{'*' if project is None else project}/*/{MANIFEST}"):
        try:
            found.append(TrainingRun.parse_record(path.read_bytes(), str(path)))
        except (OSError, RecordUnreadable) as error:
            _log.warning("a run is left out: %s", error)
    return sorted(found, key=lambda run: (run.started_at, run.id))


def remove_unfinished(runs_dir: Path, project: int) -> None:
    """Remove what killed runs left.

    A project has one training at a time, so a folder of it without a manifest is a killed run's. A half-prepared base may
    belong to another project that prepares it now: it is removed when it is an hour old.
    """
    for folder in runs_dir.glob(f"p{project}/*/"):
        if not (folder / MANIFEST).exists():
            shutil.rmtree(folder, ignore_errors=True)
    for folder in runs_dir.glob(f"{BASES}/.*/"):
        with suppress(FileNotFoundError):  # it was finished and renamed at this moment
            if time.time() - folder.stat().st_mtime > LONGEST_PREPARE_S:
                shutil.rmtree(folder, ignore_errors=True)


def remove_intermediates(folder: Path, *, keep_weights: bool) -> None:
    """Remove what only later stages needed; without `keep_weights` the adapter and the file to serve, too."""
    for name in INTERMEDIATES if keep_weights else (*INTERMEDIATES, *WEIGHTS):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Raise TrainingRefused if less is free."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise TrainingRefused(
            f"{folder.parent.parent} has {free / GIB:.1f} GiB free and the training takes about"
            f" {needed_bytes / GIB:.1f} GiB: free some, or set RUNS_DIR to another disk"
        )
