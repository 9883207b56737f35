"""The server under test: the Ollama that OLLAMA_HOST names, else the embedded one."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from recorded_ggufs import Gguf, make_ggufs
from recorded_traffic import Line, recorded
from server_under_test import Target, base_url

from embedded.ollama import OllamaServer


@pytest.fixture(scope="session")
def ggufs() -> Iterator[dict[str, Gguf]]:
    """The GGUFs, by their digest in the recorded run."""
    with TemporaryDirectory() as folder:  # pytest keeps its own folders for three runs, and these are large
        yield make_ggufs(Path(folder))


@pytest.fixture(scope="session")
def lines(ggufs: dict[str, Gguf]) -> dict[str, Line]:
    return recorded({theirs: ours.digest for theirs, ours in ggufs.items()})


@pytest.fixture(scope="session")
def target(ggufs: dict[str, Gguf]) -> Iterator[Target]:
    named = os.environ.get("OLLAMA_HOST", "")
    ours = {gguf.digest: gguf for gguf in ggufs.values()}
    if named:
        with httpx.Client(base_url=base_url(named), timeout=600) as client:
            real = Target(client, ours, None)
            yield real
            real.delete_made()
        return
    with (
        TemporaryDirectory() as folder,
        OllamaServer(Path(folder), slots=1, threads=1) as server,
        httpx.Client(base_url=server.url, timeout=600, trust_env=False) as client,
    ):
        yield Target(client, ours, server)
