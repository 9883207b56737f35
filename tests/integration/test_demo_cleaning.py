"""What the demo makes on a user's own Ollama is deleted from it again, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotune.files import file_sha256
from annotune.servers.ollama import OllamaClient
from embedded.base_model import BASE_MODEL, add_base_model, base_gguf
from embedded.ollama import OllamaServer as EmbeddedOllama
from embedded.stack import clean, deployment_name, provide_base_model


@pytest.fixture
def users(tmp_path: Path) -> Iterator[OllamaClient]:
    """A user's Ollama: the embedded server in its place."""
    with EmbeddedOllama(tmp_path / "ollama") as embedded:
        server = OllamaClient(embedded.url)
        yield server
        server.close()


def _make(server: OllamaClient, name: str) -> None:
    sha256 = file_sha256(base_gguf())
    server.registry.push(base_gguf(), sha256)
    server.registry.create(name, sha256, parameters={})


def test_versions_and_the_base_go_and_the_users_models_stay(users: OllamaClient, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    _make(users, "annotune/main-p1:v0001-00000000")
    provide_base_model(users.url, folder)
    _make(users, f"annotune/{deployment_name(folder)}-p1:v0001-00000000")

    deleted = clean(folder)

    assert len(deleted) == 2
    assert users.registry.models() == ("annotune/main-p1:v0001-00000000",)
    assert clean(folder) == []


def test_a_base_that_was_there_before_stays_also_after_a_second_demo(users: OllamaClient, tmp_path: Path) -> None:
    add_base_model(users)
    provide_base_model(users.url, tmp_path)
    provide_base_model(users.url, tmp_path)

    assert clean(tmp_path) == []
    assert users.registry.models() == (BASE_MODEL,)


def test_a_base_that_the_first_demo_made_goes_after_a_second_demo(users: OllamaClient, tmp_path: Path) -> None:
    provide_base_model(users.url, tmp_path)
    provide_base_model(users.url, tmp_path)

    assert clean(tmp_path) == [f"{BASE_MODEL} at {users.url}"]
