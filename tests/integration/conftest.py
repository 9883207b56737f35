"""What many tests share: an empty Redis, and doubles of Label Studio and Ollama that nothing was told yet."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from doubles import FakeOllama, serving
from label_studio_double import LabelStudioDouble
from pydantic import SecretStr

from annotune.settings import Settings
from annotune.store.queue import JobQueue
from annotune.store.redis import connect_redis
from annotune.store.store import Store
from trainer.context import TrainerContext, trainer_context


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    made = Store.connect(redis_url)
    yield made
    made.close()


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    """As RQ needs it: replies are bytes."""
    with connect_redis(redis_url, patience="web", decode=False) as made:
        yield made


@pytest.fixture
def jobs(store: Store, connection: redis.Redis) -> JobQueue:
    return JobQueue(store, connection)


@pytest.fixture
def double() -> Iterator[LabelStudioDouble]:
    """A Label Studio without projects."""
    with LabelStudioDouble() as running:
        yield running


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    double = FakeOllama()
    with serving(double) as double.url:
        yield double


@pytest.fixture
def context_with(redis_url: str, double: LabelStudioDouble, tmp_path: Path) -> Callable[..., TrainerContext]:
    """`context_with(name=value, ...)`: what jobs work with under these settings."""
    services: dict[str, Any] = {
        "redis_url": redis_url,
        "label_studio_url": double.url,
        "label_studio_api_key": SecretStr("legacy"),
        "runs_dir": tmp_path / "runs",
    }
    return lambda **settings: trainer_context(Settings(**services | settings))
