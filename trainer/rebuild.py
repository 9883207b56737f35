"""Brings back from the folder of runs what Redis alone knew, and from the kept files what Ollama has lost."""

import logging
from dataclasses import dataclass
from pathlib import Path

from annotune.errors import RecordUnreadable
from annotune.example import ProjectPrompt, PromptVersion
from annotune.model import PASSED, ModelRef, ModelVersion, TrainingRun, Value
from annotune.servers.ollama import OllamaServer, file_sha256
from annotune.store import Store
from trainer.registry import is_taken, register
from trainer.runs import GGUF, read_runs, run_folder

POINTERS = "pointers.json"

_log = logging.getLogger(__name__)


class Pointers(Value):
    """`RUNS_DIR/p<project>/pointers.json`: what is live, what was before it (newest first), and the prompts."""

    live: ModelRef | None
    past: tuple[ModelRef, ...]
    prompt: ProjectPrompt | PromptVersion | None
    prompts: tuple[PromptVersion, ...] = ()
    pinned: int | None = None
    system: str | None = None


@dataclass(frozen=True)
class Rebuilt:
    """What came back. `lost` are names of models that are neither on the server nor among the kept files."""

    projects: tuple[int, ...]
    versions: int
    pointers: int
    registered: tuple[str, ...]
    lost: tuple[str, ...]


def keep_pointers(store: Store, runs_dir: Path, project: int) -> None:
    """Write down what only Redis knows, unless Redis was emptied or cannot be read: then the older file is what counts."""
    try:
        _keep_pointers(store, runs_dir, project)
    except RecordUnreadable as error:
        _log.warning("project %d: its pointers are not written down: %s", project, error)


def _keep_pointers(store: Store, runs_dir: Path, project: int) -> None:
    if not store.versions(project) and any(run.version for run in read_runs(runs_dir, project)):
        return
    pointers = Pointers(
        live=store.live(project),
        past=tuple(store.past(project)),
        prompt=store.prompt(project),
        prompts=tuple(store.prompts.versions(project)),
        pinned=store.prompts.pinned(project),
        system=store.prompts.system(project),
    )
    path = runs_dir / f"p{project}" / POINTERS
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{POINTERS}")
    beside.write_text(pointers.model_dump_json(indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def rebuild(store: Store, runs_dir: Path, ollama: OllamaServer) -> Rebuilt:
    """Restore versions, numbers, runs, pointers, prompts and the last dataset's annotations; nothing that Redis has changes.

    Raises:
        ModelServerError, StoreUnavailable: what was restored by then stays; run it again.
    """
    runs = read_runs(runs_dir)
    projects = tuple(sorted({run.project for run in runs}))
    versions = pointers = 0
    registered: list[str] = []
    lost: list[str] = []
    for project in projects:
        own = [run for run in runs if run.project == project]
        try:
            pointers += _restore_pointers(store, runs_dir, project, own)
            versions += _restore_versions(store, project, own)
            _restore_runs(store, project, own)
            kept = store.versions(project)
        except RecordUnreadable as error:
            _log.warning("project %d: not restored: %s", project, error)
            continue
        for version in kept:
            if is_taken(ollama, version.model):
                continue
            (registered if _register(ollama, runs_dir, version) else lost).append(version.model)
    return Rebuilt(projects, versions, pointers, tuple(registered), tuple(lost))


def _restore_versions(store: Store, project: int, runs: list[TrainingRun]) -> int:
    store.remember_project(project)
    known = {version.number for version in store.versions(project)}
    live = {ref.model for ref in (store.live(project), *store.past(project)) if ref}
    missing = [run.version for run in runs if run.version and run.version.number not in known]
    for version in missing:
        # Promoted by a person after its manifest was written.
        promoted = version.model_copy(update={"state": "promoted"})
        store.save_version(promoted if version.model in live else version)
    store.raise_number(project, max(run.number for run in runs))
    return len(missing)


def _restore_pointers(store: Store, runs_dir: Path, project: int, runs: list[TrainingRun]) -> int:
    kept = _read_pointers(runs_dir, project) or _from_runs(runs)
    store.prompts.restore(project, kept.prompts, kept.pinned, kept.system)
    if kept.prompt and store.prompt(project) is None:
        store.set_prompt(project, kept.prompt)
    if kept.live is None or store.live(project) is not None:
        return 0
    before: ModelRef | None = None
    for ref in (*reversed(kept.past), kept.live):
        if not store.swap_live(project, before, ref):
            return 0  # somebody moves it at this moment, and knows better
        before = ref
    return 1


def _read_pointers(runs_dir: Path, project: int) -> Pointers | None:
    path = runs_dir / f"p{project}" / POINTERS
    try:
        return Pointers.recall(path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except (OSError, RecordUnreadable) as error:
        _log.warning("the runs alone say what was promoted: %s", error)
        return None


def _from_runs(runs: list[TrainingRun]) -> Pointers:
    """What the runs by themselves say: each that was promoted, in order, over what was live before the first."""
    promoted = [run for run in runs if run.state == "promoted" and run.version]
    if not promoted:
        return Pointers(live=None, past=(), prompt=None)
    first = (promoted[0].replaces,) if promoted[0].replaces else ()
    refs = (*first, *(run.version.ref for run in promoted if run.version))
    return Pointers(live=refs[-1], past=tuple(reversed(refs[:-1])), prompt=None)


def _restore_runs(store: Store, project: int, runs: list[TrainingRun]) -> None:
    if not store.runs(project):
        for run in runs:
            store.save_run(run)
    trained = [run for run in runs if run.came_to_training]
    if trained and not store.lessons.tried(project):
        store.lessons.set_tried(project, trained[-1].taught)
    if not store.lessons.learnt(project):
        for run in trained:
            if run.state in PASSED:
                store.lessons.add_learnt(project, run.taught)


def _register(ollama: OllamaServer, runs_dir: Path, version: ModelVersion) -> bool:
    gguf = run_folder(runs_dir, version.project, version.run) / GGUF
    if not gguf.is_file() or file_sha256(gguf) != version.digest:
        return False
    register(ollama, version.model, gguf, version.digest, num_ctx=version.num_ctx)
    return True
