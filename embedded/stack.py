"""All programs that the demo needs, on loopback. Their state is kept in one folder."""

import fcntl
import hashlib
import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from annotune.server_url import server_url
from annotune.servers.ollama import OllamaClient
from embedded.base_model import BASE_MODEL, add_base_model
from embedded.deployment import ROOT, Deployment
from embedded.label_studio import LabelStudio
from embedded.ollama import OllamaServer as EmbeddedOllama
from embedded.processes import ServiceError, free_port
from embedded.redis import RedisServer

FOLDER = ROOT / ".state" / "demo"
LABEL_STUDIO_PORT, BACKEND_PORT, OLLAMA_PORT, REDIS_PORT = 8080, 9090, 11434, 6379
ANSWER_TOKENS = 64
# llama.cpp's threads wait for each other by spinning, which slows everything down if other programs need the cores too.
THREADS = max(1, (os.cpu_count() or 1) // 2)


class Stack:
    """Redis, a model server with the demo's model, Label Studio, the backend and the worker.

    Args:
        settings: settings of the backend and the worker.
        ollama_host: a user's own Ollama, used instead of the embedded server. A file in the folder notes it, for `clean`.
        folder: where all state is kept.
        on_start: called with the name of each part before it starts.
    """

    def __init__(
        self,
        settings: dict[str, str],
        *,
        ollama_host: str | None = None,
        folder: Path = FOLDER,
        on_start: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder
        self.label_studio = LabelStudio(folder / "label-studio", preferred_port(LABEL_STUDIO_PORT))
        self.redis = RedisServer(folder / "redis", preferred_port(REDIS_PORT))
        self.embedded = (
            None if ollama_host else EmbeddedOllama(folder / "ollama", preferred_port(OLLAMA_PORT), threads=THREADS)
        )
        self.ollama_url = self.embedded.url if self.embedded else server_url(ollama_host or "")
        self.deployment = Deployment(
            folder,
            {
                "OPENAI_PROVIDER": "ollama",
                "OPENAI_MODEL": BASE_MODEL,
                "OLLAMA_ENDPOINT": self.ollama_url,
                "REDIS_URL": self.redis.url,
                "LABEL_STUDIO_URL": self.label_studio.url,
                "LABEL_STUDIO_API_KEY": self.label_studio.api_key,
                "WEBHOOK_SECRET": secrets.token_urlsafe(),
                "DEPLOYMENT": deployment_name(folder),
                "TRAINER_PYTHON": str(ROOT / ".venv-trainer" / "bin" / "python"),
                "TEMPERATURE": "0",
                "MAX_TOKENS": str(ANSWER_TOKENS),
                "THREADS": "16",
                **settings,
            },
            port=preferred_port(BACKEND_PORT),
        )
        self._say = on_start
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Start all programs. If one fails, those already started are stopped."""
        try:
            self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._running.enter_context(lock_folder(self.folder))
        self._say("Redis")
        self._running.enter_context(self.redis)
        self._say(f"the model server with {BASE_MODEL}")
        if self.embedded:
            self._running.enter_context(self.embedded)
        provide_base_model(self.ollama_url, None if self.embedded else self.folder)
        self._say("Label Studio (its first start takes a minute)")
        self._running.enter_context(self.label_studio)
        self._say("the backend, and the worker that trains")
        self._running.enter_context(self.deployment)
        self.deployment.start_backend()
        self.deployment.start_worker()

    def __exit__(self, *_: object) -> None:
        self._running.close()


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two Redis servers would overwrite each other's file.

    Raises:
        ServiceError: another process holds it.
    """
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ServiceError(f"another demo runs in {folder}: stop it first (Ctrl-C)") from error
        yield


def preferred_port(preferred: int) -> int:
    """The preferred port if it is free, else another one that is."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            return free_port()
    return preferred


def deployment_name(folder: Path) -> str:
    """A name that is unique to this folder: checkouts may share a user's Ollama, and each deletes only its own models."""
    return f"demo-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}"


def provide_base_model(url: str, note_in: Path | None) -> None:
    """Add the demo's model to the server if it lacks it. `note_in`: a folder to note in that the server was used."""
    server = OllamaClient(url)
    try:
        made = add_base_model(server)
    finally:
        server.close()
    if note_in:
        notes = _notes(note_in)
        notes[url] = made or notes.get(url, False)
        (note_in / "used-ollama.json").write_text(json.dumps(notes), encoding="utf-8")


def clean(folder: Path = FOLDER) -> list[str]:
    """Delete from users' own Ollamas the models that the demo made there. Returns the names of deleted models.

    Raises:
        ModelServerError: one of them does not answer.
    """
    deleted = []
    for url, base_made in _notes(folder).items():
        server = OllamaClient(url)
        try:
            for model in server.registry.models():
                ours = model.startswith(f"annotune/{deployment_name(folder)}-p")
                if ours or (base_made and model == BASE_MODEL):
                    server.registry.delete(model)
                    deleted.append(f"{model} at {url}")
        finally:
            server.close()
    (folder / "used-ollama.json").unlink(missing_ok=True)
    return deleted


def _notes(folder: Path) -> dict[str, bool]:
    """For the URL of each user's Ollama that the demo used: whether the demo added its model there."""
    path = folder / "used-ollama.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def missing_environments(trainer: bool = True) -> list[str]:
    """The environments that are missing, in sentences."""
    names = {".venv-label-studio": "Label Studio's environment"}
    if trainer:
        names[".venv-trainer"] = "the environment that trains"
    return [
        f"{what} {name}/ is missing: run 'make demo', which makes it"
        for name, what in names.items()
        if not (ROOT / name / "bin" / "python").exists()
    ]
