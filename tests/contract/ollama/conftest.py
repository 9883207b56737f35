"""The server under test: the Ollama that OLLAMA_HOST names, else the embedded one in a folder of its own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from recorded_ggufs import Gguf, make_ggufs
from recorded_traffic import Answer, Line, answer_of, recorded

from embedded.ollama import OllamaServer

DEFAULT_PORT = 11434


@dataclass
class Target:
    client: httpx.Client
    ggufs: dict[str, Gguf]  # by our digest
    embedded: OllamaServer | None
    made: set[str] = field(default_factory=set)

    def ask(self, line: Line) -> Answer:
        """Sends the recorded request, and remembers the model it makes."""
        if line.path in {"/api/create", "/api/copy"} and isinstance(line.body, dict):
            self.made.add(str(line.body.get("model") or line.body.get("destination")))
        if line.raw == "<stream>":
            with self.ggufs[line.path.rpartition(":")[2]].path.open("rb") as file:
                return answer_of(self.client.post(line.path, content=file))
        content = line.raw.encode() if line.raw is not None else None
        kind = {"json": line.body} if line.body is not None else {"content": content}
        return answer_of(self.client.request(line.method, line.path, headers=line.headers, **kind))

    def upload(self, digest: str) -> None:
        """The GGUF, unless it is there."""
        path = f"/api/blobs/sha256:{digest}"
        if self.client.head(path).is_error:
            with self.ggufs[digest].path.open("rb") as file:
                self.client.post(path, content=file).raise_for_status()

    def unload(self, model: str) -> None:
        self.client.post("/api/generate", json={"model": model, "keep_alive": 0})

    def delete_made(self) -> None:
        """The server's blobs of what was made and failed stay: Ollama has no route to delete a blob."""
        for model in self.made:
            self.unload(model)
            self.client.request("DELETE", "/api/delete", json={"model": model})


def base_url(host: str) -> str:
    """OLLAMA_HOST as people write it: a bare host, with or without scheme and port; 0.0.0.0 listens everywhere."""
    scheme, found, rest = host.partition("://")
    scheme, address = (scheme, rest) if found else ("http", host)
    address = address.rstrip("/").replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - read, not bound
    return f"{scheme}://{address if ':' in address or found else f'{address}:{DEFAULT_PORT}'}"


@pytest.fixture(scope="session")
def ggufs() -> Iterator[dict[str, Gguf]]:
    """By the digest of the recorded run."""
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
