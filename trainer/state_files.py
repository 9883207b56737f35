"""`RUNS_DIR/p<project>/pointers.json` and `sides.json`: what Redis alone knows of a project."""

import logging
from collections.abc import Mapping
from pathlib import Path

from annotune.errors import RecordUnreadable
from annotune.files import atomic_write
from annotune.models import ModelRef
from annotune.project_options import ProjectOptions
from annotune.prompt import ProjectPrompt, PromptVersion
from annotune.split import SplitName
from annotune.store.backup import ProjectState
from annotune.values import FrozenModel

POINTERS = "pointers.json"
SIDES = "sides.json"

_log = logging.getLogger(__name__)


class PointersFile(FrozenModel):
    """What is live, what was live before (newest first), and the prompts (oldest first). `prompt` is the one in use."""

    live: ModelRef | None
    past: tuple[ModelRef, ...]
    prompt: PromptVersion | ProjectPrompt | None
    prompts: tuple[PromptVersion, ...] = ()
    pinned: int | None = None
    system: str | None = None
    options: ProjectOptions | None = None

    @property
    def state(self) -> ProjectState:
        used = PromptVersion.model_validate(self.prompt.model_dump()) if self.prompt else None
        return ProjectState(self.live, self.past, used, self.prompts, self.pinned, self.system, self.options)


class SplitFile(FrozenModel):
    """Shas of labelled texts: those that are trained on, and those that are held out."""

    train: tuple[str, ...]
    eval: tuple[str, ...]

    @property
    def by_sha(self) -> dict[str, SplitName]:
        return {**dict.fromkeys(self.train, "train"), **dict.fromkeys(self.eval, "eval")}


def write_pointers(runs_dir: Path, project: int, state: ProjectState) -> None:
    """Write the file if something changed. A project that has nothing gets no folder.

    Raises:
        OSError: the folder cannot be used.
    """
    pointers = PointersFile(
        live=state.live,
        past=state.past,
        prompt=state.used,
        prompts=state.prompts,
        pinned=state.pinned,
        system=state.system,
        options=state.options,
    )
    path = _path(runs_dir, project, POINTERS)
    if state == ProjectState() and not path.exists():
        return
    text = pointers.model_dump_json(indent=1) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text:
        return
    _write(path, text)


def write_split(runs_dir: Path, project: int, splits: Mapping[str, SplitName]) -> None:
    """Write the split of each text, by its sha.

    Raises:
        OSError: the folder cannot be used.
    """
    train, held_out = (tuple(sorted(sha for sha in splits if splits[sha] == name)) for name in ("train", "eval"))
    _write(_path(runs_dir, project, SIDES), SplitFile(train=train, eval=held_out).model_dump_json(indent=1) + "\n")


def read_split(runs_dir: Path, project: int) -> dict[str, SplitName]:
    """Empty if there is no such file, or one that cannot be read: the log names that one."""
    path = _path(runs_dir, project, SIDES)
    try:
        return SplitFile.parse_record(path.read_bytes(), str(path)).by_sha
    except FileNotFoundError:
        return {}
    except (OSError, RecordUnreadable) as error:
        _log.warning("Redis alone says which texts of project %d are held out: %s", project, error)
        return {}


def read_pointers(runs_dir: Path, project: int) -> ProjectState | None:
    """None if there is no such file, or one that cannot be read: the log names that one."""
    path = _path(runs_dir, project, POINTERS)
    try:
        return PointersFile.parse_record(path.read_bytes(), str(path)).state
    except FileNotFoundError:
        return None
    except (OSError, RecordUnreadable) as error:
        _log.warning("the runs alone say what was promoted: %s", error)
        return None


def projects_with_state(runs_dir: Path) -> set[int]:
    """The projects that have one of the files."""
    names = (path.parent.name.removeprefix("p") for file in (POINTERS, SIDES) for path in runs_dir.glob(f"p*/{file}"))
    return {int(name) for name in names if name.isdecimal()}


def _path(runs_dir: Path, project: int, name: str) -> Path:
    return runs_dir / f"p{project}" / name


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, text)
