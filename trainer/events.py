"""The JSON lines that a script of the trainer prints: events on the way, then `done` or `error`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from annotune.values import FrozenModel


class Started(FrozenModel):
    """The optimisation begins. `left_out` examples were too long."""

    event: Literal["start"]
    steps: int
    examples: int
    left_out: int


class Stepped(FrozenModel):
    """One optimiser step. `left_s` is an estimate in seconds, unknown at first."""

    event: Literal["step"]
    step: int
    steps: int
    loss: float
    left_s: float | None


class Measured(FrozenModel):
    """The mean held-out loss in nats a token, before the training (`base`) or after it (`tuned`)."""

    event: Literal["loss"]
    what: Literal["base", "tuned"]
    value: float


class Entered(FrozenModel):
    """The script begins a part of its work."""

    event: Literal["loading", "converting", "quantising"]


class ScriptFailed(FrozenModel):
    """The last line of a script that failed. `message` is a sentence for a person."""

    event: Literal["error"]
    message: str


class Done(BaseModel):
    """The last line of a script that succeeded. Its other fields are the result."""

    model_config = ConfigDict(frozen=True, extra="allow")

    event: Literal["done"]


Event = Started | Stepped | Measured | Entered
LINE: TypeAdapter[Event | ScriptFailed | Done] = TypeAdapter(
    Annotated[Event | ScriptFailed | Done, Field(discriminator="event")]
)


class Prepared(FrozenModel):
    """`base` is a checkpoint folder, or a name on the hub."""

    base: str


class Trained(FrozenModel):
    """The device, the versions of the packages that trained, and the memory in MiB."""

    device: str
    dtype: str
    versions: dict[str, str]
    peak_rss_mb: float
    peak_gpu_mb: float


class Merged(FrozenModel):
    """The checkpoint folder in 16 bits."""

    merged: Path


class Converted(FrozenModel):
    """The file to serve, and its hex SHA-256."""

    gguf: Path
    sha256: str


def ignore(_event: Event) -> None:
    """A handler for scripts whose events nobody shows."""
