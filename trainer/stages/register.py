"""Register: a GGUF goes to the model server, under a name that no other model has had."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from annotune.errors import ModelServerError, TrainingFailed
from annotune.models import OUR_MODEL, version_name
from annotune.recipe import Recipe
from annotune.servers.ollama import OllamaClient
from annotune.servers.ollama_registry import OllamaRegistry
from trainer.active_run import ActiveRun
from trainer.context import TrainerContext
from trainer.events import Converted
from trainer.retry import retry_until_available
from trainer.run_folder import read_runs
from trainer.stages.gates import Candidate

UNLOADED_S = 60
POLL_S = 0.2
SHA_SHOWN = 8
# Ollama 0.33 ignores the case of names and overwrites. A namespace takes no dots, and a part at most 80 characters.


def register(
    active: ActiveRun, context: TrainerContext, server: OllamaClient, converted: Converted, recipe: Recipe
) -> Candidate:
    """Create a model on the server under the next version number whose name the server does not have.

    The number is given out this late since a training that failed before made no version. No number is given out twice.

    Raises:
        ModelServerError: the server did not take the file.
        StoreUnavailable: Redis is away.
    """
    store, registry, project = context.store, server.registry, active.run.project
    with active.stage("register"):
        highest = max((run.number for run in read_runs(context.settings.runs_dir, project)), default=0)
        store.versions.raise_number(project, highest)
        number = store.versions.next_number(project)
        while is_taken(registry, name := model_name(context.settings.deployment, project, number, converted.sha256)):
            number = store.versions.next_number(project)
        create_model(registry, name, converted.gguf, converted.sha256, num_ctx=recipe.num_ctx)
        active.update(number=number, packages=active.run.packages | {"ollama": retry_until_available(registry.version)})
    return Candidate(server, name, recipe.num_ctx)


@contextmanager
def removed_on_error(registry: OllamaRegistry, model: str) -> Iterator[None]:
    """Remove a model from the server if the block raises."""
    try:
        yield
    except BaseException:
        with suppress(ModelServerError):
            registry.delete(model)
        raise


def model_name(deployment: str, project: int, number: int, sha256: str) -> str:
    """`annotune/main-p12:v0007-0123abcd`.

    Raises:
        TrainingFailed: Ollama takes no such name.
    """
    name = f"annotune/{deployment}-p{project}:{version_name(number)}-{sha256[:SHA_SHOWN]}"
    if not OUR_MODEL.fullmatch(name):
        raise TrainingFailed(f"{name!r} is no name for a model on Ollama: fix DEPLOYMENT")
    return name


def create_model(registry: OllamaRegistry, model: str, gguf: Path, sha256: str, *, num_ctx: int) -> None:
    """Upload a file and create a model of it. Only a chat shows whether it runs: the first gate makes one.

    `num_ctx` is stored with the model. Ollama accepts any value of any parameter and then fails each chat, so no other
    parameter is sent.

    Raises:
        ModelServerError: the server did not take it.
        TrainingFailed: the server did not unload another model of the same file.
    """
    retry_until_available(lambda: registry.push(gguf, sha256))
    retry_until_available(lambda: registry.create(model, sha256, parameters={"num_ctx": num_ctx}))
    unload_twins(registry, sha256)


def unload_twins(registry: OllamaRegistry, sha256: str) -> None:
    """Unload all models of ours that run this file.

    Ollama 0.33 has one runner for each file. A second name of a file is served by the runner of the first, with the
    first's template, until that is unloaded. Unloading takes a moment.
    """

    def twins() -> list[str]:
        return [name for name in registry.loaded() if name.endswith(f"-{sha256[:SHA_SHOWN]}")]

    for name in retry_until_available(twins):
        registry.unload(name)
    deadline = time.monotonic() + UNLOADED_S
    while left := retry_until_available(twins):
        if time.monotonic() > deadline:
            raise TrainingFailed(f"the model server did not unload {left[0]} within {UNLOADED_S} s: restart it")
        time.sleep(POLL_S)


def is_taken(registry: OllamaRegistry, model: str) -> bool:
    """Whether the server has a model of that name."""
    return retry_until_available(lambda: registry.show(model)) is not None
