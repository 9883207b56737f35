"""The objects that requests share."""

from dataclasses import dataclass
from typing import Protocol, Self

from annotune.images import ImageFetcher
from annotune.labeling.config import Labeling
from annotune.serving import ServingResolver
from annotune.settings import Settings
from annotune.store.queue import JobQueue
from annotune.store.store import Store
from backend.answer_log import AnswerLog
from backend.batches import Batches
from backend.labeling_cache import LabelingCache
from backend.model_calls import ModelCalls, ServerPool
from backend.spool import Spool


class ParseLabeling(Protocol):
    def __call__(self, config: str, fills: tuple[str, ...] | None = None, /) -> Labeling: ...


@dataclass(frozen=True)
class Services:
    """Made once in each process, and shared by its threads."""

    settings: Settings
    store: Store
    servers: ServerPool
    jobs: JobQueue
    serving: ServingResolver
    model_calls: ModelCalls
    answer_log: AnswerLog
    images: ImageFetcher
    labeling: ParseLabeling
    batches: Batches

    @classmethod
    def of(cls, settings: Settings, *, store: Store, servers: ServerPool, jobs: JobQueue) -> Self:
        return cls(
            settings=settings,
            store=store,
            servers=servers,
            jobs=jobs,
            serving=ServingResolver(settings, store),
            model_calls=ModelCalls(settings, servers),
            answer_log=AnswerLog(store, Spool(settings.spool_dir), kept_s=settings.answers_kept_s),
            images=ImageFetcher(settings),
            labeling=LabelingCache(lambda config, fills: Labeling.from_settings(config, settings, fills)),
            batches=Batches(store),
        )
