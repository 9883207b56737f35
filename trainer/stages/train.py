"""Prepare and train: from the recipe's base and a dataset to an adapter."""

import math
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from annotune.errors import TrainingRefused
from annotune.recipe import Recipe
from curation.dataset import Dataset
from trainer.active_run import ActiveRun
from trainer.engine import PREPARE, TRAIN, Engine
from trainer.events import Event, Measured, Started, Stepped, ignore
from trainer.run_folder import BASES, check_disk
from trainer.stages.gates import Losses

FREE_TO_BASE = 2.5
"""Free disk to the size of a base in 32 bits: the merged checkpoint, the file to serve, and the server's copy of it."""


def prepare(active: ActiveRun, engine: Engine, recipe: Recipe, dataset: Dataset, runs_dir: Path) -> dict[str, Any]:
    """Make the base a checkpoint that can be trained.

    Returns:
        The job that the scripts `train`, `merge` and `convert` read.

    Raises:
        TrainingFailed, TrainingCancelled: as `Engine.run`.
        TrainingRefused: the disk is too small for what comes next.
    """
    job = {"recipe": recipe.model_dump(mode="json"), "output": str(active.folder)}
    cache = str(runs_dir.absolute() / BASES)
    with active.stage("prepare"):
        prepared = engine.run(
            PREPARE, {**job, "cache": cache}, active.folder, on_event=ignore, cancelled=active.cancelled
        )
    base = Path(prepared.base)
    if base.is_dir():
        size = sum(file.stat().st_size for file in base.rglob("*") if file.is_file())
        check_disk(active.folder, int(size * FREE_TO_BASE))
    return {**job, "base": prepared.base, "dataset": str(dataset.folder)}


def train(active: ActiveRun, engine: Engine, job: Mapping[str, Any], *, min_examples: int) -> Losses:
    """Train an adapter, and measure the held-out loss before and after.

    Raises:
        TrainingFailed, TrainingCancelled: as `Engine.run`.
        TrainingRefused: fewer than `min_examples` are short enough for the recipe.
    """
    with active.stage("train"):
        trained = engine.run(
            TRAIN, job, active.folder, on_event=_follow(active, min_examples), cancelled=active.cancelled
        )
    active.update(
        packages=trained.versions | _own_version(),
        device=f"{trained.device} {trained.dtype}",
        metrics=active.run.metrics | {"peak_rss_mb": trained.peak_rss_mb, "peak_gpu_mb": trained.peak_gpu_mb},
    )
    metrics = active.run.metrics
    return Losses(base=metrics.get("base_loss", math.nan), tuned=metrics.get("tuned_loss", math.nan))


def _follow(active: ActiveRun, min_examples: int) -> Callable[[Event], None]:
    """Show the progress of a training, and record its losses."""

    def on_event(event: Event) -> None:
        match event:
            case Started():
                _check_enough(event, min_examples)
                active.show(steps=event.steps)
            case Stepped():
                active.show(step=event.step, steps=event.steps, loss=event.loss, left_s=event.left_s)
            case Measured() if math.isfinite(event.value):
                active.update(metrics=active.run.metrics | {f"{event.what}_loss": event.value})
            case _:
                pass

    return on_event


def _check_enough(started: Started, min_examples: int) -> None:
    if started.examples < min_examples:
        raise TrainingRefused(
            f"{started.left_out} examples are longer than the recipe's max_seq_length, which leaves"
            f" {started.examples}, and it takes {min_examples} (MIN_EXAMPLES): submit"
            f" {min_examples - started.examples} more that are shorter, or raise max_seq_length"
        )


def _own_version() -> dict[str, str]:
    try:
        return {"annotune": version("annotune")}
    except PackageNotFoundError:  # run from a folder that was never installed
        return {}
