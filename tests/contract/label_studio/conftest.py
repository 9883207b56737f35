"""The backend with a fake model server and a real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_model import Backend, FakeModel, FakePool, MakeBackend

from annotune.settings import Settings
from annotune.store.connection import open_store
from backend.app import create_app


@pytest.fixture
def make_backend(redis_url: str, tmp_path: Path) -> Iterator[MakeBackend]:
    """`make_backend(default_prompt="...", url=..., model=...)`: settings, another Redis, another fake.

    All share a spool, as the processes of a host do.
    """
    connections = []

    def make(*, url: str = redis_url, model: FakeModel | None = None, **settings: object) -> Backend:
        spool = {"spool_dir": tmp_path / "spool"}
        given = {"openai_provider": "ollama", "openai_model": "base", **spool, **settings}
        opened = open_store(Settings(redis_url=url))
        connections.append(opened)
        store, jobs = opened
        fake = model or FakeModel()
        app = create_app(Settings(**given), store=store, servers=FakePool(fake), jobs=jobs)
        return Backend(app, fake, store, jobs)

    yield make
    for connection in connections:
        connection.close()


@pytest.fixture
def backend(make_backend: MakeBackend) -> Backend:
    """With a default prompt."""
    return make_backend(default_prompt="Answer briefly")
