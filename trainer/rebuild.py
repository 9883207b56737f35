"""`annotune models rebuild`: Redis gets back what it lost from the folder of runs, and Ollama from the kept files."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from annotune.errors import NotFound, RecordUnreadable
from annotune.files import file_sha256
from annotune.models import ModelVersion
from annotune.servers.ollama import OllamaClient
from annotune.store.store import Store
from trainer.backup import back_up_all
from trainer.mark import is_foreign, pair, read_mark
from trainer.restoration import Restored, restore
from trainer.run_folder import GGUF, run_folder
from trainer.stages.register import create_model, is_taken

WHERE = (
    "run this where the worker runs, with its RUNS_DIR (in docker compose: 'docker compose exec worker annotune models"
    " rebuild')"
)


@dataclass(frozen=True)
class Rebuilt(Restored):
    """What came back. `lost` names models that are neither on the server nor among the kept files."""

    registered: tuple[str, ...]
    lost: tuple[str, ...]


def rebuild(store: Store, runs_dir: Path, ollama: OllamaClient) -> Rebuilt:
    """Restore versions, numbers, runs, pointers, prompts, splits, and what the last run tried. What Redis has stays.

    A folder that belonged to another Redis or deployment belongs to this one afterwards.

    Raises:
        NotFound: there is no such folder, or no worker has used it.
        ConfigurationError: it cannot be written to.
        ModelServerError, StoreUnavailable: what was restored by then stays; run it again.
    """
    if not runs_dir.is_dir():
        raise NotFound(f"RUNS_DIR={str(runs_dir)!r} is no folder here: {WHERE}")
    on_disk, in_redis = read_mark(runs_dir), store.backup.mark()
    emptied = on_disk is not None and (not in_redis or is_foreign(store, on_disk, in_redis))
    if on_disk and not emptied:  # what was moved or removed a moment ago may not be backed up yet
        back_up_all(store, runs_dir, on_disk.id)
    back = restore(store, runs_dir, emptied=emptied)
    if on_disk is None and not back.projects:
        raise NotFound(f"RUNS_DIR={str(runs_dir)!r} holds nothing of a worker: {WHERE}")
    pair(store, runs_dir, on_disk.id if on_disk else "")
    registered: list[str] = []
    lost: list[str] = []
    for version in _versions(store, back.projects):
        if not is_taken(ollama.registry, version.model):
            (registered if _register(ollama, runs_dir, version) else lost).append(version.model)
    return Rebuilt(back.projects, back.versions, back.pointers, tuple(registered), tuple(lost))


def _versions(store: Store, projects: tuple[int, ...]) -> Iterator[ModelVersion]:
    for project in projects:
        with suppress(RecordUnreadable):  # the log named it when the project was not restored
            yield from store.versions.all(project)


def _register(ollama: OllamaClient, runs_dir: Path, version: ModelVersion) -> bool:
    gguf = run_folder(runs_dir, version.project, version.run) / GGUF
    if not gguf.is_file() or file_sha256(gguf) != version.digest:
        return False
    create_model(ollama.registry, version.model, gguf, version.digest, num_ctx=version.num_ctx)
    return True
