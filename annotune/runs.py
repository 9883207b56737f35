"""Training runs: the request, the progress and the outcome."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from annotune.models import ModelRef, ModelVersion
from annotune.values import FrozenModel

PASSED = frozenset({"promoted", "waiting"})  # the states of a run whose version passed its gates


class DatasetRef(FrozenModel):
    """A dataset to train on.

    `source` is a folder or a file that the worker sees, or a name on the Hugging Face Hub. `columns` maps `question` and
    `answer` to the columns that hold them. `split` is one of the Hub's; None: `train`, or the only one. A folder that
    Annotune wrote has columns and splits of its own.
    """

    source: str
    columns: dict[str, str] = Field(default_factory=dict)
    split: str | None = None


class TrainedDataset(FrozenModel):
    """What became of a dataset in a training.

    `digest` is its manifest's, or the hex SHA-256 of the questions and answers that were read. Of `rows` rows, `trained` and
    `held_out` were used, and `left_out` counts the others by reason (see `RowReason`).
    """

    source: str
    split: str | None
    digest: str
    rows: int
    trained: int
    held_out: int
    left_out: dict[str, int] = Field(default_factory=dict)


class TrainingRun(FrozenModel):
    """One training: its input, its output and how it ended. `manifest.json` holds it, and is written last.

    - `number` is 0 if no model reached the model server.
    - `replaces` was live when the run began; None is the model of the settings.
    - `dataset` is the dataset's digest, `annotations` are the annotation ids in it, and `contents` are their contents in the
      same order (`Origin.content`; in the manifest only).
    - `left_out` counts annotations by the reason why they were left out.
    - `datasets` are the datasets that it trained on beside the annotations or, without `with_annotations`, instead of them.
    - `stages_s` has the seconds of each stage, `metrics` losses in nats a token and peaks of memory in MiB.
    - `device` is the device and its number format, such as `cpu float32`.
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
    datasets: tuple[TrainedDataset, ...] = ()
    with_annotations: bool = True
    recipe: dict[str, Any] = Field(default_factory=dict)
    prompt_sha: str = ""
    stages_s: dict[str, float] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    packages: dict[str, str] = Field(default_factory=dict)
    device: str = ""
    version: ModelVersion | None = None

    @property
    def reached_training(self) -> bool:
        """Whether the training began. An earlier end tried no annotation: a server was away, or the disk was full."""
        return "train" in self.stages_s

    @property
    def contents_by_annotation(self) -> dict[int, str]:
        """The content of each annotation (`Origin.content`); empty if it is unknown."""
        contents = self.contents if len(self.contents) == len(self.annotations) else ("",) * len(self.annotations)
        return dict(zip(self.annotations, contents, strict=True))


class TrainingRequest(FrozenModel):
    """A requested training. The request is kept until the training has ended.

    It trains on the project's annotations and on `datasets`; without `with_annotations` on the datasets alone.
    """

    requested_by: str
    at: datetime
    datasets: tuple[DatasetRef, ...] = ()
    with_annotations: bool = True


class SyncSummary(FrozenModel):
    """The annotations that the last sync with Label Studio counted.

    - `new` are new or changed since the last run that reached its training, whatever its outcome.
    - `unlearnt` have content that no version that passed its gates was trained on; None if they were not counted.
    - `left_out` and `kinds` count the annotations by the reason why they are left out, and the others by their kind.
    - `lacks` says how many annotations a training lacks; empty if it lacks none.
    """

    usable: int
    new: int
    unlearnt: int | None = None
    left_out: dict[str, int]
    kinds: dict[str, int]
    at: datetime
    lacks: str = ""


class Progress(FrozenModel):
    """The progress of the running training. `loss` and `left_s` (seconds) are unknown at first."""

    run: str
    stage: str
    step: int = 0
    steps: int = 0
    loss: float | None = None
    left_s: float | None = None
