"""From the folder of runs back into Redis: versions, numbers, runs, pointers, prompts, and the split of texts."""

import logging
from dataclasses import dataclass
from pathlib import Path

from annotune.errors import RecordUnreadable
from annotune.runs import PASSED, TrainingRun
from annotune.store.backup import ProjectState
from annotune.store.store import Store
from trainer.run_folder import read_runs
from trainer.state_files import projects_with_state, read_pointers, read_split

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restored:
    """The projects that the folder knows, and the numbers of versions and live pointers that came back."""

    projects: tuple[int, ...]
    versions: int
    pointers: int


def restore(store: Store, runs_dir: Path, *, emptied: bool, unknown_only: bool = False) -> Restored:
    """Bring back what Redis lacks. What Redis has stays.

    Args:
        store: Redis.
        runs_dir: the folder of runs.
        emptied: as in `Backup.restore`.
        unknown_only: restore only projects of which Redis has neither pointer nor prompt nor version.

    Raises:
        StoreUnavailable: Redis is away. What was restored by then stays; call it again to go on.
    """
    runs = read_runs(runs_dir)
    projects = tuple(sorted({run.project for run in runs} | projects_with_state(runs_dir)))
    versions = pointers = 0
    for project in projects:
        own = [run for run in runs if run.project == project]
        try:
            if unknown_only and (store.backup.read(project)[1] != ProjectState() or store.versions.all(project)):
                continue
            state = read_pointers(runs_dir, project) or _state_from_runs(own)
            pointers += store.backup.restore(project, state, emptied=emptied)
            store.splits.restore(project, read_split(runs_dir, project), emptied=emptied)
            versions += _restore_versions(store, project, own)
            _restore_runs(store, project, own)
        except RecordUnreadable as error:
            _log.warning("project %d: not restored: %s", project, error)
    return Restored(projects, versions, pointers)


def _state_from_runs(runs: list[TrainingRun]) -> ProjectState:
    """The pointers that the runs alone imply: the promoted ones in order, above what was live before the first."""
    promoted = [run for run in runs if run.state == "promoted" and run.version]
    if not promoted:
        return ProjectState()
    first = (promoted[0].replaces,) if promoted[0].replaces else ()
    refs = (*first, *(run.version.ref for run in promoted if run.version))
    return ProjectState(live=refs[-1], past=tuple(reversed(refs[:-1])))


def _restore_versions(store: Store, project: int, runs: list[TrainingRun]) -> int:
    known = {version.number for version in store.versions.all(project)}
    live = {ref.model for ref in (store.live.get(project), *store.live.past(project)) if ref}
    missing = [run.version for run in runs if run.version and run.version.number not in known]
    for version in missing:
        # A person may have promoted it after its manifest was written.
        promoted = version.model_copy(update={"state": "promoted"})
        store.versions.save(promoted if version.model in live else version)
    store.versions.raise_number(project, max((run.number for run in runs), default=0))
    return len(missing)


def _restore_runs(store: Store, project: int, runs: list[TrainingRun]) -> None:
    if not store.runs.all(project):
        for run in runs:
            store.runs.save(run)
    trained = [run for run in runs if run.reached_training]
    tried = [run for run in trained if run.with_annotations]
    if tried and not store.trained.tried(project):
        store.trained.set_tried(project, tried[-1].contents_by_annotation)
    if not store.trained.learnt(project):
        for run in trained:
            if run.state in PASSED:
                store.trained.add_learnt(project, run.contents_by_annotation)
