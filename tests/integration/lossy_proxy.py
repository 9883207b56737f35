"""A way to Redis on which one answer gets lost: the command was carried out, and its client does not know."""

import contextlib
import socket
import socketserver
import threading
from typing import Self
from urllib.parse import urlsplit

POLL_S = 0.01
CHUNK = 65536


class LossyProxy:
    """Passes everything on to the Redis at `url`; after `lose(word)`, the answer to the next request with that word is
    lost, and its connection with it.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._redis = (parts.hostname or "", parts.port or 0)
        self._word: bytes | None = None
        self._lock = threading.Lock()
        self.lost = 0
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(proxy._redis) as redis:
                    proxy._serve(self.request, redis)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": POLL_S}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.server_address[1]}/0"

    def lose(self, word: bytes) -> None:
        with self._lock:
            self._word = word

    def _serve(self, client: socket.socket, redis: socket.socket) -> None:
        doomed = threading.Event()

        def answer() -> None:
            with contextlib.suppress(OSError):
                while (data := redis.recv(CHUNK)) and not doomed.is_set():
                    client.sendall(data)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        with contextlib.suppress(OSError):
            while data := client.recv(CHUNK):
                if self._is_lost(data):
                    doomed.set()
                redis.sendall(data)
        with contextlib.suppress(OSError):
            redis.shutdown(socket.SHUT_RDWR)
        answering.join()

    def _is_lost(self, data: bytes) -> bool:
        with self._lock:
            if self._word is None or self._word not in data:
                return False
            self._word = None
            self.lost += 1
            return True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
