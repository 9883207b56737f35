"""The embedded server as a child process."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from embedded.processes import Service, answers, free_port

START_DEADLINE_S = 30
CREATE_DEADLINE_S = 120


class OllamaServer:
    """Keeps its models in `folder` across restarts, and listens on 127.0.0.1."""

    def __init__(self, folder: Path, port: int | None = None, slots: int = 2, threads: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        command = [sys.executable, "-m", "embedded.ollama", "--port", str(self.port)]
        command += ["--models", str(folder), "--slots", str(slots)]
        command += ["--threads", str(threads)] if threads else []
        # Run in the folder of the package, since the package may not be installed.
        root = Path(__file__).resolve().parents[2]
        self.service = Service("ollama", command, env={}, log=folder / "ollama.log", cwd=root)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.service.start(answers(f"{self.url}/api/version"), START_DEADLINE_S)

    def stop(self) -> None:
        self.service.stop()

    def restart(self) -> None:
        """Restart it on the same port with the same models; none of them is loaded."""
        self.stop()
        self.start()

    def add_model(self, name: str, gguf: Path, parameters: Mapping[str, Any] | None = None) -> None:
        """Upload and register a model; it replaces one of the same name.

        Raises:
            httpx.HTTPStatusError: the server refused it.
        """
        with gguf.open("rb") as file:
            digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        body = {"model": name, "files": {gguf.name: digest}, "parameters": dict(parameters or {}), "stream": False}
        with httpx.Client(base_url=self.url, timeout=CREATE_DEADLINE_S, trust_env=False) as client:
            with gguf.open("rb") as file:
                client.post(f"/api/blobs/{digest}", content=file).raise_for_status()
            client.post("/api/create", json=body).raise_for_status()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
