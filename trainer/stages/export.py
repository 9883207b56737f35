"""Export: from an adapter to one file that a model server can run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from annotune.errors import TrainingFailed
from annotune.files import file_sha256
from trainer.active_run import ActiveRun
from trainer.engine import CONVERT, MERGE, Engine
from trainer.events import Converted, ignore
from trainer.run_folder import remove_intermediates


def merge(active: ActiveRun, engine: Engine, job: Mapping[str, Any]) -> None:
    """Merge the adapter into the base. Raises TrainingFailed and TrainingCancelled, as `Engine.run`."""
    with active.stage("merge"):
        engine.run(MERGE, job, active.folder, on_event=ignore, cancelled=active.cancelled)


def convert(active: ActiveRun, engine: Engine, job: Mapping[str, Any], llama_cpp_dir: Path | None) -> Converted:
    """Convert the merged checkpoint to a GGUF, and check that the disk gives back what was written.

    Raises:
        TrainingFailed, TrainingCancelled: as `Engine.run`; or the file's digest is another one.
    """
    with active.stage("convert"):
        converted = engine.run(
            CONVERT,
            {**job, "llama_cpp_dir": str(llama_cpp_dir or "")},
            active.folder,
            on_event=ignore,
            cancelled=active.cancelled,
        )
    if file_sha256(converted.gguf) != converted.sha256:
        raise TrainingFailed(f"{converted.gguf.name} is not what the converter wrote: is the disk sound?")
    remove_intermediates(active.folder, keep_weights=True)
    return converted
