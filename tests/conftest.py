"""What tests share: real services, each started once for the whole run and only if a test asks for it."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import redis
from playwright.sync_api import Browser, sync_playwright
from services import Eventually, Found, ServedModel

from annotune.recipe import RECIPES
from annotune.server_url import server_url
from annotune.servers.ollama import OllamaClient
from annotune.settings import Settings
from embedded.base_model import BASE_MODEL, add_base_model
from embedded.label_studio import PROGRAM, LabelStudio
from embedded.ollama import OllamaServer as EmbeddedOllama
from embedded.redis import RedisServer

POLL_S = 0.05
SHORTER = {"epochs = 8": "epochs = 0", "max_steps = 0": "max_steps = 18", "rate = 2e-3": "rate = 5e-4"}
# llama.cpp's threads spin while they wait for each other: beside other busy programs, one is a hundred times faster.
MODEL_THREADS = 1
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # it reaches this machine and nothing else
]


def _absent(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def ollama_host() -> str | None:
    """The developer's `OLLAMA_HOST`, read before `clean_environment` hides it from the tests."""
    return os.environ.get("OLLAMA_HOST") or None


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's own leaks into a test."""
    for name in [name for name in os.environ if name.lower() in Settings.model_fields]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """`eventually(probe, deadline_s, poll_s)`: the first true thing that `probe()` returns; fails after the deadline."""

    def wait(probe: Callable[[], Found], deadline_s: float = 10, poll_s: float = POLL_S) -> Found:
        pause = threading.Event()
        deadline = time.monotonic() + deadline_s
        while not (found := probe()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {deadline_s} s; the last answer was {found!r}")
            pause.wait(poll_s)
        return found

    return wait


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty database of a real Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def model_server(ollama_host: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedModel]:
    """The real Ollama that `OLLAMA_HOST` names, else the embedded server; what tests made on a real one is deleted."""
    if ollama_host is None:
        with EmbeddedOllama(tmp_path_factory.mktemp("ollama"), threads=MODEL_THREADS) as embedded:
            client = OllamaClient(embedded.url)
            add_base_model(client)
            client.close()
            yield ServedModel(embedded.url, BASE_MODEL, real=False)
        return
    client = OllamaClient(server_url(ollama_host))
    before = set(client.registry.models())
    add_base_model(client)
    yield ServedModel(client.url, BASE_MODEL, real=True)
    for name in set(client.registry.models()) - before:
        if name == BASE_MODEL or name.startswith("annotune/"):
            client.registry.delete(name)
    client.close()


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    """One Label Studio for the whole run; a test makes its own project."""
    if not PROGRAM.exists():
        _absent(f"needs Label Studio in {PROGRAM.parents[1]}: run 'make install'")
    with LabelStudio(tmp_path_factory.mktemp("label-studio")) as server:
        yield server


@pytest.fixture(scope="session")
def trainer_python() -> Path:
    """The interpreter of the environment that trains."""
    python = Path(__file__).resolve().parent.parent / ".venv-trainer" / "bin" / "python"
    if not python.exists():
        _absent(f"needs the trainer's environment at {python}: run 'make install'")
    return python


@pytest.fixture(scope="session")
def short_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small recipe with fewer and smaller steps: with so few examples its own learn them by heart, which a
    held-out loss above the base's tells.
    """
    text = (RECIPES / "small.toml").read_text(encoding="utf-8")
    for was, now in SHORTER.items():
        assert was in text
        text = text.replace(was, now)
    path = tmp_path_factory.mktemp("recipe") / "short.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium. Not kept between modules: Playwright leaves an event loop running in the thread meanwhile."""
    program = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if program is None:
        _absent("needs Chromium: run 'apt-get install chromium' (or have google-chrome on PATH)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, headless=True, args=CHROMIUM_ARGUMENTS)
        yield running
        running.close()
