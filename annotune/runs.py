"""Trainings: what is asked for, how far one is, how it ended."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from annotune.models import ModelRef, ModelVersion
from annotune.values import FrozenModel

PASSED = frozenset({"promoted", "waiting"})  # states of a run whose version passed its gates


class TrainingRun(FrozenModel):
    """One training: what went in, what came out, and how it ended. Written as `manifest.json`, last.

    `number` is 0 where no model came to the model server. `replaces` was live when it began (None: the environment's
    model). `dataset` is a digest, `annotations` the ids in it, `contents` what each held, in that order (`Origin.content`;
    in the manifest only); `left_out` counts by reason; `metrics` has losses in nats a token and peaks of memory in MiB;
    `device` is what trained, such as `cpu float32`.
    """

    id: str
    project: int
    number: int
    state: Literal["running", "promoted", "waiting", "refused", "failed"]
    reason: str = ""
    started_at: datetime
    ended_at: datetime | None = None
    requested_by: str = ""
    replaces: ModelRef | None = None
    dataset: str = ""
    annotations: tuple[int, ...] = ()
    contents: tuple[str, ...] = ()
    examples: int = 0
    held_out: int = 0
    left_out: dict[str, int] = Field(default_factory=dict)
    recipe: dict[str, Any] = Field(default_factory=dict)
    prompt_sha: str = ""
    stages_s: dict[str, float] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    packages: dict[str, str] = Field(default_factory=dict)
    device: str = ""
    version: ModelVersion | None = None

    @property
    def reached_training(self) -> bool:
        """One that broke off before tried nothing: Label Studio or the model server was away, or the disk full."""
        return "train" in self.stages_s

    @property
    def contents_by_annotation(self) -> dict[int, str]:
        """What each annotation held (`Origin.content`); empty where it is unknown."""
        told = self.contents if len(self.contents) == len(self.annotations) else ("",) * len(self.annotations)
        return dict(zip(self.annotations, told, strict=True))


class TrainingRequest(FrozenModel):
    """A training that somebody or something asked for; it stays until one has ended."""

    requested_by: str
    at: datetime


class SyncSummary(FrozenModel):
    """What the last look at Label Studio counted, in annotations.

    `new` are new or changed since the last run that came to training, whatever became of it; `unlearnt` hold what no version
    that passed its gates was trained on, None where nobody counted it. `lacks` says how many a training lacks, and is empty
    where it lacks none.
    """

    usable: int
    new: int
    unlearnt: int | None = None
    left_out: dict[str, int]
    kinds: dict[str, int]
    at: datetime
    lacks: str = ""


class Progress(FrozenModel):
    """How far the running training is. `left_s` and `loss` are unknown at first."""

    run: str
    stage: str
    step: int = 0
    steps: int = 0
    loss: float | None = None
    left_s: float | None = None
