"""`RUNS_DIR/p<project>/pointers.json` and `sides.json`: what of a project Redis alone knows."""

import logging
from collections.abc import Mapping
from pathlib import Path

from annotune.errors import RecordUnreadable
from annotune.files import atomic_write
from annotune.models import ModelRef
from annotune.prompt import ProjectPrompt, PromptVersion
from annotune.split import SplitName
from annotune.store.backup import ProjectState
from annotune.values import FrozenModel

POINTERS = "pointers.json"
SIDES = "sides.json"

_log = logging.getLogger(__name__)


class Pointers(FrozenModel):
    """What is live, what was before it (newest first), and the prompts (oldest first), `prompt` being the one in use."""

    live: ModelRef | None
    past: tuple[ModelRef, ...]
    prompt: PromptVersion | ProjectPrompt | None
    prompts: tuple[PromptVersion, ...] = ()
    pinned: int | None = None
    system: str | None = None

    @property
    def kept(self) -> ProjectState:
        used = PromptVersion.model_validate(self.prompt.model_dump()) if self.prompt else None
        return ProjectState(self.live, self.past, used, self.prompts, self.pinned, self.system)


class SplitFile(FrozenModel):
    """Shas of labelled texts: those that are trained on, and those that are held out."""

    train: tuple[str, ...]
    eval: tuple[str, ...]

    @property
    def by_sha(self) -> dict[str, SplitName]:
        return {**dict.fromkeys(self.train, "train"), **dict.fromkeys(self.eval, "eval")}


def write_pointers(runs_dir: Path, project: int, kept: ProjectState) -> None:
    """Only where something changed; no folder is made for a project that has nothing."""
    pointers = Pointers(
        live=kept.live,
        past=kept.past,
        prompt=kept.used,
        prompts=kept.prompts,
        pinned=kept.pinned,
        system=kept.system,
    )
    path = runs_dir / f"p{project}" / POINTERS
    if kept == ProjectState() and not path.exists():
        return
    text = pointers.model_dump_json(indent=1) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, text)


def write_split(runs_dir: Path, project: int, sides: Mapping[str, SplitName]) -> None:
    train, held_out = (tuple(sorted(sha for sha in sides if sides[sha] == side)) for side in ("train", "eval"))
    told = SplitFile(train=train, eval=held_out)
    path = runs_dir / f"p{project}" / SIDES
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, told.model_dump_json(indent=1) + "\n")


def read_split(runs_dir: Path, project: int) -> dict[str, SplitName]:
    """Empty where there is no such file, or one that cannot be read, which the log names."""
    path = runs_dir / f"p{project}" / SIDES
    try:
        return SplitFile.parse_record(path.read_bytes(), str(path)).by_sha
    except FileNotFoundError:
        return {}
    except (OSError, RecordUnreadable) as error:
        _log.warning("Redis alone says which texts of project %d are held out: %s", project, error)
        return {}


def read_pointers(runs_dir: Path, project: int) -> ProjectState | None:
    """None where there is no such file, or one that cannot be read, which the log names."""
    path = runs_dir / f"p{project}" / POINTERS
    try:
        return Pointers.parse_record(path.read_bytes(), str(path)).kept
    except FileNotFoundError:
        return None
    except (OSError, RecordUnreadable) as error:
        _log.warning("the runs alone say what was promoted: %s", error)
        return None


def projects_kept(runs_dir: Path) -> set[int]:
    """The projects that have one of the files."""
    names = (path.parent.name.removeprefix("p") for file in (POINTERS, SIDES) for path in runs_dir.glob(f"p*/{file}"))
    return {int(name) for name in names if name.isdecimal()}
