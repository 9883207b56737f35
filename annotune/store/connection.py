"""The store and the queue of a deployment, opened as the settings say."""

from typing import NamedTuple

from annotune.settings import Settings
from annotune.store.queue import JobQueue
from annotune.store.redis import Patience, connect_redis
from annotune.store.store import Store


class OpenStore(NamedTuple):
    """A deployment's state and its jobs. Each has a connection of its own, since RQ needs bytes."""

    store: Store
    jobs: JobQueue

    def close(self) -> None:
        """Close both connections."""
        self.store.close()
        self.jobs.close()


def open_store(settings: Settings, *, patience: Patience = "web") -> OpenStore:
    """Open the deployment at `REDIS_URL`. Connects when first used; see `connect_redis` for `patience`.

    Raises:
        ConfigurationError: `REDIS_URL` is no URL of Redis.
    """
    store = Store.connect(settings.redis_url, deployment=settings.deployment, patience=patience)
    return OpenStore(store, JobQueue(store, connect_redis(settings.redis_url, patience=patience, decode=False)))
