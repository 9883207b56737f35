"""Which model answers, the versions that we made, and the runs that made them."""

import re
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field

from annotune.errors import RequestInvalid
from annotune.values import Value

ServerName = Literal["ollama", "openai", "azure"]
PASSED = frozenset({"promoted", "waiting"})  # states of a run whose version passed its gates
_REF = re.compile(r"(ollama|openai|azure):(\S+)")
_VERSION = re.compile(r"v([0-9]{4,})")
OUR_MODEL = re.compile(r"annotune/[a-z0-9][a-z0-9-]{0,79}:v[0-9]{4,}-[0-9a-f]{8}")
"""The name on Ollama of a version of ours."""


class ModelRef(Value):
    """A model on a server: what a project's live pointer names.

    `version` is `v0007` for a version of ours. `num_ctx` is the window in tokens that the model was made with; None
    leaves it to the setting `NUM_CTX`.
    """

    server: ServerName
    model: str
    version: str | None = None
    num_ctx: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """`ollama:llama3:8b` or `openai:gpt-3.5-turbo`.

        Raises:
            RequestInvalid: the text is neither.
        """
        match = _REF.fullmatch(text.strip())
        if not match:
            raise RequestInvalid(f"{text!r} names no model: write 'ollama:llama3', 'openai:gpt-3.5-turbo' or 'v0003'")
        return cls(server=match[1], model=match[2])  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.server}:{self.model}"


class Verdict(Value):
    """One gate's answer: which, passed or not, and a readable reason."""

    gate: str
    passed: bool
    reason: str


class ModelVersion(Value):
    """An immutable model of ours on the model server, and where it came from.

    `digest` is the hex SHA-256 of the GGUF that was uploaded; `run` names the folder in `runs/` that made it.
    """

    project: int
    number: int
    model: str
    digest: str
    run: str
    created_at: datetime
    num_ctx: int
    state: Literal["candidate", "refused", "promoted"]
    verdicts: tuple[Verdict, ...] = ()

    @property
    def name(self) -> str:
        """`v0007`."""
        return version_name(self.number)

    @property
    def ref(self) -> ModelRef:
        return ModelRef(server="ollama", model=self.model, version=self.name, num_ctx=self.num_ctx)

    @property
    def reason(self) -> str:
        """Why it was refused, or the empty text."""
        return "; ".join(verdict.reason for verdict in self.verdicts if not verdict.passed)


class TrainingRun(Value):
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
    def came_to_training(self) -> bool:
        """One that broke off before tried nothing: Label Studio or the model server was away, or the disk full."""
        return "train" in self.stages_s

    @property
    def taught(self) -> dict[int, str]:
        """What each annotation held (`Origin.content`); empty where it is unknown."""
        told = self.contents if len(self.contents) == len(self.annotations) else ("",) * len(self.annotations)
        return dict(zip(self.annotations, told, strict=True))


class TrainingWanted(Value):
    """A training that somebody or something asked for; it stays until one has ended."""

    requested_by: str
    at: datetime


class Tally(Value):
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


class Progress(Value):
    """How far the running training is. `left_s` and `loss` are unknown at first."""

    run: str
    stage: str
    step: int = 0
    steps: int = 0
    loss: float | None = None
    left_s: float | None = None


def version_name(number: int) -> str:
    return f"v{number:04d}"


def version_number(name: str) -> int | None:
    """7 for `v0007`; None for what names no version of ours."""
    match = _VERSION.fullmatch(name)
    return int(match[1]) if match else None


def brings_back(model: str) -> str:
    """The command that gives Ollama a model which it does not have."""
    return "annotune models rebuild" if OUR_MODEL.fullmatch(model) else f"ollama pull {model}"
