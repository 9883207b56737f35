"""The state of a deployment in Redis: one class for each concern, over one connection. keys.py lists the keys.

The store's own keys (see keys.py): `probe`, `start`.
"""

from dataclasses import dataclass
from typing import Self

import redis

from annotune.store.answers import AnswerStore
from annotune.store.backup import Backup
from annotune.store.changes import ChangeStore
from annotune.store.extra_params import ExtraParamsStore
from annotune.store.keys import Keys
from annotune.store.leases import LeaseStore
from annotune.store.live import LiveStore
from annotune.store.migration import Migrated, has_old_keys, migrate
from annotune.store.options import OptionsStore
from annotune.store.projects import ProjectStore
from annotune.store.prompts import PromptStore
from annotune.store.redis import Patience, connect_redis, redis_errors
from annotune.store.reports import ReportStore
from annotune.store.runs import RunStore
from annotune.store.serving import ServingStore
from annotune.store.split import SplitStore
from annotune.store.trained import TrainedStore
from annotune.store.training import TrainingStore
from annotune.store.versions import VersionStore
from annotune.store.workers import WorkerStore

PROBE_S = 60


@dataclass(frozen=True)
class RedisStart:
    """A start of Redis: its id, the seconds since, and the id that was noted last (empty if none was)."""

    id: str
    up_s: float
    noted: str


class Store:
    """The state of one deployment, one attribute for each concern.

    Every method raises StoreUnavailable where Redis does not answer, or keeps nothing new.
    """

    def __init__(self, client: redis.Redis, deployment: str = "main") -> None:
        """`client` decodes its answers."""
        self._redis = client
        self.keys = Keys(deployment)
        self.answers = AnswerStore(client, self.keys)
        self.projects = ProjectStore(client, self.keys, self.answers)
        self.changes = ChangeStore(client, self.keys, self.projects)
        self.live = LiveStore(client, self.keys, self.projects)
        self.prompts = PromptStore(client, self.keys)
        self.options = OptionsStore(client, self.keys, self.projects)
        self.extra_params = ExtraParamsStore(client, self.keys)
        self.serving = ServingStore(client, self.keys)
        self.versions = VersionStore(client, self.keys, self.projects)
        self.training = TrainingStore(client, self.keys, self.projects)
        self.runs = RunStore(client, self.keys)
        self.trained = TrainedStore(client, self.keys)
        self.splits = SplitStore(client, self.keys)
        self.leases = LeaseStore(client, self.keys)
        self.workers = WorkerStore(client, self.keys)
        self.reports = ReportStore(client, self.keys)
        self.backup = Backup(client, self.keys)

    @classmethod
    def connect(cls, url: str, *, deployment: str = "main", patience: Patience = "web") -> Self:
        """The store of a deployment at a Redis URL; connects when first used. See `connect_redis` for `patience`."""
        return cls(connect_redis(url, patience=patience, decode=True), deployment=deployment)

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    def probe(self) -> None:
        """Write a key. A Redis that is full, and a read-only replica, still answer reads."""
        with redis_errors():
            self._redis.set(self.keys.probe, "1", ex=PROBE_S)

    def started(self) -> RedisStart:
        """When Redis was started, and the start that was noted last."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.info("server")
            pipe.get(self.keys.start)
            server, noted = pipe.execute()
        return RedisStart(id=str(server["run_id"]), up_s=float(server["uptime_in_seconds"]), noted=str(noted or ""))

    def note_start(self, id_: str) -> None:
        """Note the id of a start of Redis. One that has another id noted was restarted from what it had saved."""
        with redis_errors():
            self._redis.set(self.keys.start, id_)

    def has_old_keys(self) -> bool:
        """See `migration.has_old_keys`."""
        return has_old_keys(self._redis)

    def migrate(self) -> Migrated:
        """See `migration.migrate`."""
        return migrate(self._redis, self.keys)
