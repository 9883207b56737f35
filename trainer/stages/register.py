"""Puts a GGUF on the model server, under a name that no other model has had."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from annotune.errors import ModelServerBusy, ModelServerUnreachable, TrainingFailed
from annotune.models import OUR_MODEL, version_name
from annotune.servers.ollama import OllamaClient

PATIENCE_S = 180
PAUSE_S = 2
UNLOADED_S = 60
POLL_S = 0.2
SHA_SHOWN = 8
# Ollama 0.33 compares names without regard to case and overwrites; a namespace takes no dots, a part no 81st character.

T = TypeVar("T")


def retry_until_available(ask: Callable[[], T], *, patience_s: float = PATIENCE_S) -> T:
    """Ask a model server that may be restarting: again until it answers, or `patience_s` are over."""
    ends = time.monotonic() + patience_s
    while True:
        try:
            return ask()
        except (ModelServerUnreachable, ModelServerBusy):
            if time.monotonic() + PAUSE_S > ends:
                raise
            time.sleep(PAUSE_S)


def model_name(deployment: str, project: int, number: int, sha256: str) -> str:
    """`annotune/main-p12:v0007-0123abcd`.

    Raises:
        TrainingFailed: it would be no name for Ollama.
    """
    name = f"annotune/{deployment}-p{project}:{version_name(number)}-{sha256[:SHA_SHOWN]}"
    if not OUR_MODEL.fullmatch(name):
        raise TrainingFailed(f"{name!r} is no name for a model on Ollama: fix DEPLOYMENT")
    return name


def register(server: OllamaClient, model: str, gguf: Path, sha256: str, *, num_ctx: int) -> None:
    """Upload and create. Only a real chat shows whether it can be run: the first gate makes one.

    `num_ctx` is baked in. Ollama stores any value of any parameter, and then fails each chat, so no other is sent.

    Raises:
        ModelServerError: the server did not take it.
    """
    retry_until_available(lambda: server.push(gguf, sha256))
    retry_until_available(lambda: server.create(model, sha256, parameters={"num_ctx": num_ctx}))
    unload_twins(server, sha256)


def unload_twins(server: OllamaClient, sha256: str) -> None:
    """Unload what runs the same GGUF under whatever name of ours.

    Ollama keys a runner by its file (0.33): a second name of a file is served by the first one's runner, its template
    included, until that is unloaded, and unloading happens a moment after it was asked for.
    """

    def twins() -> list[str]:
        return [name for name in server.loaded() if name.endswith(f"-{sha256[:SHA_SHOWN]}")]

    for name in retry_until_available(twins):
        server.unload(name)
    ends = time.monotonic() + UNLOADED_S
    while left := retry_until_available(twins):
        if time.monotonic() > ends:
            raise TrainingFailed(f"the model server did not unload {left[0]} within {UNLOADED_S} s: restart it")
        time.sleep(POLL_S)


def is_taken(server: OllamaClient, model: str) -> bool:
    """Does the server have a model of that name?"""
    return retry_until_available(lambda: server.show(model)) is not None
