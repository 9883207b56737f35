"""The backend and the worker as a deployer runs them, on the run's one Label Studio, Redis and model server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from label_studio_sdk import LabelStudio as Client
from services import ServedModel

from annotune.store.redis import connect_redis
from annotune.store.store import Store
from embedded.deployment import Deployment
from embedded.label_studio import LabelStudio

Deploy = Callable[..., Deployment]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, help="the folder that gets the pictures of the docs")


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the pictures of the docs are put."""
    folder: Path | None = request.config.getoption("--pictures", default=None)
    return folder or tmp_path


@pytest.fixture
def deploy(label_studio: LabelStudio, redis_url: str, model_server: ServedModel, tmp_path: Path) -> Iterator[Deploy]:
    """`deploy(NAME="value", ...)` starts both with these settings beside those that name the services."""
    services = {
        "OPENAI_PROVIDER": "ollama",
        "OPENAI_MODEL": model_server.model,
        "OLLAMA_ENDPOINT": model_server.url,
        "REDIS_URL": redis_url,
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.api_key,
        "WEBHOOK_SECRET": "only-for-tests",
        "DEPLOYMENT": "e2e",
        "TEMPERATURE": "0",
        "MAX_TOKENS": "24",
        "NUM_CTX": "2048",
        "THREADS": "8",
    }
    with ExitStack() as running:

        def start(**settings: str) -> Deployment:
            deployment = running.enter_context(Deployment(tmp_path, services | settings))
            deployment.start_backend()
            deployment.start_worker()
            return deployment

        yield start


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    with connect_redis(redis_url, patience="job", decode=True) as client:
        yield Store(client, deployment="e2e")


@pytest.fixture
def client(label_studio: LabelStudio) -> Iterator[Client]:
    with httpx.Client(timeout=60, trust_env=False) as http:
        yield Client(base_url=label_studio.url, api_key=label_studio.api_key, httpx_client=http)
