"""A model server's HTTP, scripted: each request takes the next answer; the last one is repeated."""

import json
import queue
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

PATIENCE_S = 30
DRIPS, DRIP_S = 100, 0.02
FLOOD_BYTES = 64 << 20
MEGABYTE = 1 << 20
RESET = struct.pack("ii", 1, 0)  # closing then sends RST


@dataclass(frozen=True)
class Reply:
    """What a request gets.

    `hang` says nothing until the vendor stops, `byte` a single one, `dribble` a byte at a time. What is slow ends well at
    last, after `DRIPS`: `headers` come one at a time, `processing` comes as a status again and again, a request is read by
    the `sip`. `flood` puts megabytes of blanks before the body.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    fault: Literal["", "hang", "byte", "reset", "drop", "dribble", "half", "headers", "processing", "sip", "flood"] = ""


@dataclass(frozen=True)
class Asked:
    """A request that came in. `connection` tells connections apart."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: int


def json_reply(body: object, status: int = 200, **headers: str) -> Reply:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, json.dumps(body).encode(), (("Content-Type", "application/json"), *named))


@dataclass
class Vendor:
    """Listens on loopback while entered."""

    replies: Sequence[Reply]
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    stopping: threading.Event = field(default_factory=threading.Event)
    ends: "queue.Queue[Literal['sent', 'left']]" = field(default_factory=queue.Queue)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]

    def how_it_ended(self) -> Literal["sent", "left"]:
        """How the next reply ended: it was sent whole, or the client had left before."""
        return self.ends.get(timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.vendor = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    vendor: Vendor

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(*arguments)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        lingers = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(RESET)) == RESET
        self.close_request(request) if lingers else super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # its client has reset it
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no fault of the vendor's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        ends = self.server.vendor.ends
        try:
            self._reply()
        except OSError:
            self.close_connection = True
            ends.put("left")
        else:
            ends.put("sent")

    def _reply(self) -> None:
        vendor = self.server.vendor
        reply = vendor.replies[min(len(vendor.asked), len(vendor.replies) - 1)]
        length = int(self.headers.get("Content-Length", 0))
        raw = b""
        if reply.fault == "sip":
            raw = b"".join(self._read(length // 1000) for _ in self._drips())
        raw += self._read(length - len(raw))
        try:
            body = json.loads(raw)
        except ValueError:
            body = raw
        headers = {name.lower(): value for name, value in self.headers.items()}
        vendor.asked.append(Asked(self.command, self.path, headers, body, self.client_address[1]))
        vendor.arrived.release()
        match reply.fault:
            case "hang":
                self._until_the_client_leaves()
                return
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self.close_connection = True
                return
            case "drop":
                self.close_connection = True
                return
            case "processing":
                for _ in self._drips():
                    self.wfile.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.fault == "headers":
            self.flush_headers()
            for _ in self._drips():
                self.wfile.write(b"X-Drip: a\r\n")
        before = {"dribble": DRIPS, "byte": DRIPS, "half": len(reply.body), "flood": FLOOD_BYTES}.get(reply.fault, 0)
        self.send_header("Content-Length", str(before + len(reply.body)))
        self.end_headers()
        self._body(reply)

    def _body(self, reply: Reply) -> None:
        match reply.fault:
            case "byte":
                self.wfile.write(b" ")
                self._until_the_client_leaves()
                return
            case "dribble":
                for _ in self._drips():
                    self.wfile.write(b" ")
            case "flood":
                for _ in range(FLOOD_BYTES // MEGABYTE):
                    self.wfile.write(b" " * MEGABYTE)
            case "half":
                self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _read(self, length: int) -> bytes:
        """Raises ConnectionError where the client left before it had sent so much."""
        read = self.rfile.read(length)
        if len(read) < length:
            raise ConnectionError
        return read

    def _drips(self) -> Iterator[None]:
        for _ in range(DRIPS):
            if self.server.vendor.stopping.wait(DRIP_S):
                raise ConnectionError
            yield

    def _until_the_client_leaves(self) -> None:
        self.connection.settimeout(PATIENCE_S)
        self.connection.recv(1)
        raise ConnectionError

    do_GET = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""
