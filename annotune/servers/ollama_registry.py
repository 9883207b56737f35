"""The models that an Ollama keeps: listed, added, loaded and deleted."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import ollama

from annotune.deadline import Deadline
from annotune.errors import ModelServerError
from annotune.servers.ollama_http import CONNECT_S, OllamaHttp

REGISTRY_S = 60.0
CREATE_S = 1800.0
UPLOAD_BYTES_PER_S = 1 << 20  # a slower upload misses its deadline
BLOCK_BYTES = 1 << 20


class OllamaRegistry:
    """The registry of one Ollama. Each call has a deadline of `REGISTRY_S`, unless its docstring names another.

    All methods raise ModelServerError where Ollama does not answer as it should.
    """

    def __init__(self, connection: OllamaHttp) -> None:
        self.url = connection.url
        self._connection = connection

    def version(self) -> str:
        """Ollama's own version, such as `0.33.2`."""
        with self._call():
            return str(self._connection.http.get("/api/version").raise_for_status().json()["version"])

    def models(self) -> tuple[str, ...]:
        """The names of all models."""
        with self._call():
            return tuple(entry.model for entry in self._connection.api.list().models if entry.model)

    def show(self, model: str) -> Mapping[str, Any] | None:
        """What Ollama knows of a model. None: it has no model of that name."""
        with self._call():
            try:
                return self._connection.api.show(model).model_dump()
            except ollama.ResponseError as error:
                if error.status_code == httpx.codes.NOT_FOUND:
                    return None
                raise

    def push(self, gguf: Path, sha256: str) -> None:
        """Upload a GGUF, unless Ollama has its blob already. `sha256` is hex.

        The deadline is `CREATE_S` and the time that the file takes at `UPLOAD_BYTES_PER_S`.
        """
        path = f"/api/blobs/sha256:{sha256}"
        with self._call():
            if self._connection.http.head(path).status_code == httpx.codes.OK:
                return
        size = gguf.stat().st_size
        # Ollama computes the digest before it answers.
        timeout = httpx.Timeout(CREATE_S, connect=CONNECT_S, write=REGISTRY_S)
        headers = {"Content-Length": str(size)}
        with self._call(CREATE_S + size / UPLOAD_BYTES_PER_S):
            self._connection.http.post(path, content=_blocks(gguf), headers=headers, timeout=timeout).raise_for_status()

    def create(self, model: str, sha256: str, *, parameters: Mapping[str, Any], filename: str = "model.gguf") -> None:
        """Register an uploaded GGUF under a name. The deadline is `CREATE_S`.

        No template is sent, so Ollama runs the GGUF's own (0.30 and later). An error may come in the stream after status
        200. So only the word "success" counts.
        """
        with self._call(CREATE_S):
            progress = self._connection.api.create(
                model=model, files={filename: f"sha256:{sha256}"}, parameters=dict(parameters), stream=False
            )
        if progress.status != "success":
            raise ModelServerError(f"Ollama at {self.url} did not create {model}: it ended with {progress.status!r}")

    def delete(self, model: str) -> None:
        """Unload a model and delete it. A model that Ollama does not have counts as deleted."""
        self.unload(model)
        with self._call():
            try:
                self._connection.api.delete(model)
            except ollama.ResponseError as error:
                if error.status_code != httpx.codes.NOT_FOUND:
                    raise

    def loaded(self) -> tuple[str, ...]:
        """The names of the models in memory. A runner has the name under which it was loaded first."""
        with self._call():
            return tuple(entry.model for entry in self._connection.api.ps().models if entry.model)

    def unload(self, model: str) -> None:
        """Take a model out of memory, if it is there. Ollama does so a moment after it has answered."""
        if model in self.loaded():
            body = {"model": model, "messages": [], "keep_alive": 0, "stream": False}
            self._connection.post("/api/chat", body, Deadline.after(REGISTRY_S))

    def _call(self, seconds: float | None = None) -> AbstractContextManager[None]:
        return self._connection.call(Deadline.after(REGISTRY_S if seconds is None else seconds))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block
