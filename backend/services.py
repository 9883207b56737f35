"""What a request needs, made once per process."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, Self

from annotune.images import Pictures
from annotune.labeling import Labeling
from annotune.live import Live
from annotune.queue import Jobs
from annotune.settings import Settings
from annotune.store import Store
from backend.answer_log import AnswerLog
from backend.answers import Answers, ServerPool
from backend.spool import Spool

CONFIGS_KEPT = 64


class ParseLabeling(Protocol):
    def __call__(self, config: str, /) -> Labeling: ...


@dataclass(frozen=True)
class Services:
    """Shared by all threads of a process."""

    settings: Settings
    store: Store
    servers: ServerPool
    jobs: Jobs
    live: Live
    answers: Answers
    answer_log: AnswerLog
    pictures: Pictures
    labeling: ParseLabeling

    @classmethod
    def of(cls, settings: Settings, *, store: Store, servers: ServerPool, jobs: Jobs) -> Self:
        @lru_cache(maxsize=CONFIGS_KEPT)
        def labeling(config: str) -> Labeling:
            return Labeling.parse(config, settings.prompt_prefix, settings.status_control, settings.answer_names)

        return cls(
            settings=settings,
            store=store,
            servers=servers,
            jobs=jobs,
            live=Live(settings, store),
            answers=Answers(settings, servers),
            answer_log=AnswerLog(store, Spool(settings.spool_dir), kept_s=settings.answers_kept_s),
            pictures=Pictures(settings),
            labeling=labeling,
        )
