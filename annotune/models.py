"""References to models, and the versions that Annotune trained."""

import re
from datetime import datetime
from typing import Literal, Self

from annotune.errors import RequestInvalid
from annotune.values import FrozenModel

ServerName = Literal["ollama", "openai", "azure"]
VERSION_SERVER: ServerName = "ollama"  # serves our versions, and the bases that recipes name
_REF = re.compile(r"(ollama|openai|azure):(\S+)")
_VERSION = re.compile(r"v([0-9]{4,})")
OUR_MODEL = re.compile(r"annotune/[a-z0-9][a-z0-9-]{0,79}:v[0-9]{4,}-[0-9a-f]{8}")
"""The name of one of our versions on Ollama."""


class ModelRef(FrozenModel):
    """A model on a server. A project's live pointer holds one.

    `version` is `v0007` for one of our versions. `num_ctx` is the context window that the model was made with, in tokens;
    None leaves it to the setting `NUM_CTX`.
    """

    server: ServerName
    model: str
    version: str | None = None
    num_ctx: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `ollama:llama3:8b` or `openai:gpt-3.5-turbo`.

        Raises:
            RequestInvalid: it has another form.
        """
        match = _REF.fullmatch(text.strip())
        if not match:
            raise RequestInvalid(f"{text!r} names no model: write 'ollama:llama3', 'openai:gpt-3.5-turbo' or 'v0003'")
        return cls(server=match[1], model=match[2])  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.server}:{self.model}"


class Verdict(FrozenModel):
    """The verdict of one gate, with a readable reason."""

    gate: str
    passed: bool
    reason: str


class ModelVersion(FrozenModel):
    """An immutable model of ours on the model server, and its origin.

    `digest` is the hex SHA-256 of the uploaded GGUF. `run` is the id of the training run, which names its folder.
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
        return ModelRef(server=VERSION_SERVER, model=self.model, version=self.name, num_ctx=self.num_ctx)

    @property
    def reason(self) -> str:
        """Why it was refused; empty if it was not."""
        return "; ".join(verdict.reason for verdict in self.verdicts if not verdict.passed)


def version_name(number: int) -> str:
    return f"v{number:04d}"


def version_number(name: str) -> int | None:
    """7 for `v0007`; None for any other text."""
    match = _VERSION.fullmatch(name)
    return int(match[1]) if match else None


def restore_command(model: str) -> str:
    """The command that brings a missing model to Ollama."""
    return "annotune models rebuild" if OUR_MODEL.fullmatch(model) else f"ollama pull {model}"
