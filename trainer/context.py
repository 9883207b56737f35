"""What a job works with."""

from collections.abc import Callable
from dataclasses import dataclass

from annotune.label_studio.client import LabelStudioClient
from annotune.log import set_up
from annotune.servers.ollama import OllamaClient
from annotune.settings import Settings, load_settings
from annotune.store.connection import open_store
from annotune.store.queue import JobQueue
from annotune.store.store import Store


def _never() -> bool:
    return False


@dataclass(frozen=True)
class TrainerContext:
    """Settings, Redis, the queues, and clients of Label Studio and Ollama, which are made when they are needed.

    `cancelled()` becomes true when the job has lost its lease. Another process may do the same work then, so this one
    stops (TrainingCancelled).
    """

    settings: Settings
    store: Store
    jobs: JobQueue
    studio: Callable[[], LabelStudioClient]
    ollama: Callable[[], OllamaClient]
    cancelled: Callable[[], bool] = _never


def trainer_context(settings: Settings) -> TrainerContext:
    """A context whose store waits for Redis, so that a restart of Redis loses no end of a job."""
    store, jobs = open_store(settings, patience="job")
    return TrainerContext(
        settings=settings,
        store=store,
        jobs=jobs,
        studio=lambda: LabelStudioClient.from_settings(settings),
        ollama=lambda: OllamaClient(settings.ollama_url),
    )


def open_trainer_context() -> TrainerContext:
    """The context of a job, which runs in a process of its own.

    Raises:
        ConfigurationError: the environment does not validate.
    """
    settings = load_settings()
    set_up(settings.log_level)
    return trainer_context(settings)
