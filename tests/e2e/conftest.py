"""The backend and the worker as a deployer runs them, on the run's one Label Studio and model server."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from integration.doubles import serving
from label_studio_sdk import LabelStudio as Client
from page import LabelingPage, logged_in
from playwright.sync_api import Browser, BrowserContext
from scripted_model import ScriptedModel
from services import ServedModel

from annotune.label_studio.client import LabelStudioClient
from annotune.store.redis import connect_redis
from annotune.store.store import Store
from commands.main import annotune
from embedded.deployment import Deployment
from embedded.label_studio import LabelStudio
from embedded.redis import RedisServer

Describe = Callable[..., Deployment]
Deploy = Callable[..., Deployment]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, help="the folder that gets the pictures of the docs")


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the pictures of the docs are put."""
    folder: Path | None = request.config.getoption("--pictures", default=None)
    return folder or tmp_path


@pytest.fixture(scope="session")
def kept_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that no test empties: deployments live in it for longer than one test."""
    with RedisServer(tmp_path_factory.mktemp("kept-redis")) as server:
        yield server


@pytest.fixture(scope="session")
def describe(label_studio: LabelStudio, kept_redis: RedisServer, model_server: ServedModel) -> Describe:
    """`describe(folder, NAME="value", ...)`: a deployment that is not started, with a name of its own in Redis."""
    services = {
        "OPENAI_PROVIDER": "ollama",
        "OPENAI_MODEL": model_server.model,
        "OLLAMA_ENDPOINT": model_server.url,
        "REDIS_URL": kept_redis.url,
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.api_key,
        "WEBHOOK_SECRET": "only-for-tests",
        "TEMPERATURE": "0",
        "MAX_TOKENS": "24",
        "NUM_CTX": "2048",
        "THREADS": "8",
    }
    numbers = itertools.count(1)

    def deployment(folder: Path, **settings: str) -> Deployment:
        return Deployment(folder, {**services, "DEPLOYMENT": f"e2e{next(numbers)}", **settings})

    return deployment


@pytest.fixture
def deploy(describe: Describe, tmp_path: Path) -> Iterator[Deploy]:
    """`deploy(NAME="value", ...)`: a backend and a worker for this test alone."""
    with ExitStack() as running:

        def start(**settings: str) -> Deployment:
            deployment = running.enter_context(describe(tmp_path, **settings))
            deployment.start()
            return deployment

        yield start


@pytest.fixture(scope="session")
def deployed(describe: Describe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deploy]:
    """`deployed(NAME="value", ...)`: a backend and a worker for all tests that give these settings.

    A test makes a project of its own, and leaves both running as they are.
    """
    running: list[Deployment] = []

    @cache
    def start(**settings: str) -> Deployment:
        running.append(describe(tmp_path_factory.mktemp("deployed"), **settings))
        running[-1].start()
        return running[-1]

    yield start
    with ThreadPoolExecutor() as threads:
        list(threads.map(Deployment.stop, running))


@pytest.fixture(scope="session")
def run() -> Callable[..., str]:
    """`run(deployment, "connect", "7")`: what the command prints. It runs in this process, which has loaded it."""

    def invoke(deployment: Deployment, *arguments: str) -> str:
        done = CliRunner().invoke(annotune, arguments, env=deployment.environment)
        assert done.exit_code == 0, done.output
        return done.stdout

    return invoke


@pytest.fixture
def store_of() -> Iterator[Callable[[Deployment], Store]]:
    """`store_of(deployment)`: what it keeps in Redis."""
    with ExitStack() as opened:

        def connect(deployment: Deployment) -> Store:
            client = connect_redis(deployment.environment["REDIS_URL"], patience="job", decode=True)
            return Store(opened.enter_context(client), deployment=deployment.name)

        yield connect


@pytest.fixture
def client(label_studio: LabelStudio) -> Iterator[Client]:
    with httpx.Client(timeout=60, trust_env=False) as http:
        yield Client(base_url=label_studio.url, api_key=label_studio.api_key, httpx_client=http)


@pytest.fixture(scope="session")
def served_model() -> Iterator[ScriptedModel]:
    double = ScriptedModel()
    with serving(double) as double.url:
        yield double


@pytest.fixture
def model(served_model: ScriptedModel) -> Iterator[ScriptedModel]:
    """A model that says what the test tells it to. All tests have it at one URL, so that they can share a deployment."""
    served_model.forget()
    yield served_model
    served_model.free.set()


@pytest.fixture(scope="session")
def session_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keeps who is logged in, for all browsers of the run."""
    return tmp_path_factory.mktemp("session") / "state.json"


@pytest.fixture(scope="module")
def context(browser: Browser, label_studio: LabelStudio, session_file: Path) -> Iterator[BrowserContext]:
    """Shared by a module's tests: a page's scripts are loaded once."""
    with logged_in(browser, label_studio, session_file) as person:
        yield person


@pytest.fixture
def tab(context: BrowserContext, label_studio: LabelStudio) -> Iterator[LabelingPage]:
    """A logged-in tab; what the page keeps in the browser goes with it."""
    tab = LabelingPage(context.new_page(), label_studio)
    yield tab
    if tab.page.url.startswith(label_studio.url):
        tab.page.evaluate("localStorage.clear()")
    tab.page.close()


@pytest.fixture
def studio(label_studio: LabelStudio) -> Iterator[LabelStudioClient]:
    """The product's own client."""
    with closing(LabelStudioClient(label_studio.url, label_studio.api_key)) as studio:
        yield studio
