"""gunicorn's threaded worker, changed so that a thread only gets complete requests.

In gunicorn (27.0.1) a thread waits for each byte of a request, so a few clients that send half a request occupy all threads.
Here the main thread, which polls the connections, collects the bytes. The code relies on internals of
`gunicorn.workers.gthread` in the release that pyproject.toml pins: compare them before you change the release.
"""

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import BytesIO
from itertools import chain
from selectors import EVENT_READ
from typing import Any

from gunicorn.http import get_parser  # type: ignore[import-untyped]
from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    STOP_KEEPALIVE_LINGER,
    TConn,
    ThreadWorker,
)

from backend.memory import LARGE_BODY, release_memory
from backend.replies import error_bytes
from backend.request_reader import Refusal, RequestReader

READ_DEADLINE_S = 10.0
SEND_DEADLINE_S = 30.0
LOG_INTERVAL_S = 60.0
MAX_CHUNK = 256 << 10  # bytes
SMALL_REQUEST = 64 << 10  # bytes; smaller requests do not count towards the limit of all
MAX_BODIES_HELD = 8
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(TConn):  # type: ignore[misc]
    """A client's connection.

    `deadline` is a time of `time.monotonic()` at which the current read or close is given up. `held_bytes` are the bytes of
    its request, if it is a large one.
    """

    def __init__(self, worker: "WebWorker", client: socket.socket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, client, address, server)
        self.initialized = True  # there is no TLS handshake
        self.reader = RequestReader(worker.largest_body)
        self.request: Any = None  # a `CompleteRequest`, until a thread has read it
        self.deadline = 0.0
        self.held_bytes = 0


class WebWorker(ThreadWorker):  # type: ignore[misc]
    """A worker process with one main thread and several request threads.

    A connection is in one of four states: it is read; a thread handles its request; it is idle between two requests
    (gunicorn's `keepalived_conns`); or it is closing, which lasts until the client has read the last answer.

    Limits:
    - A request must arrive within `READ_DEADLINE_S`, and a client must take an answer within `SEND_DEADLINE_S`.
    - All large requests together may hold `MAX_BODIES_HELD` times the largest body. Beyond that, the largest unfinished
      request gets status 503.
    - With too many connections, the oldest one without a thread is closed, so a new client always gets in.

    Only `handle` and `handle_request` run in a request thread.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.largest_body: int = self.app.largest_body
        self._reading: dict[Connection, None] = {}  # oldest first
        self._closing: dict[Connection, None] = {}  # oldest first
        self._held_bytes = 0
        self._refused = 0
        self._logged_at = 0.0

    def accept(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._make_room()
            elif error.errno not in {errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK}:
                raise
            return
        self.nr_conns += 1
        conn = Connection(self, client, address, listener.getsockname())
        self._start_reading(conn)
        if self.nr_conns >= self.worker_connections:
            self._make_room(but=conn)

    def finish_request(self, conn: Connection, done: Any) -> None:
        """Go on with a connection after a thread has handled its request."""
        conn.request = None
        keep = not done.cancelled() and done.exception() is None and done.result()
        with self._close_on_error(conn):
            self._hold(conn, conn.reader.size)
            if not keep:
                self._close_politely(conn)
            elif conn.reader.size:  # the next request was sent with it
                self._start_reading(conn)
                self._receive(conn, b"")
            else:
                conn.sock.setblocking(False)
                conn.timeout = time.monotonic() + (self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
                self.keepalived_conns.append(conn)
                self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def murder_pending(self) -> None:
        """Close connections that are past their deadline; called often by gunicorn's main loop."""
        now = time.monotonic()
        while self._reading and (conn := next(iter(self._reading))).deadline < now:
            if conn.reader.size and self.alive:
                sentence = f"the request was not complete after {READ_DEADLINE_S:.0f} s: send it faster"
                self._refuse(conn, Refusal(408, sentence))
            else:
                self._close(conn)
        while self._closing and (conn := next(iter(self._closing))).deadline < now:
            self._close(conn)
        if self._refused and self._logged_at + LOG_INTERVAL_S < now:
            self.log.warning("%d requests were refused: they were incomplete, too slow or too large", self._refused)
            self._refused, self._logged_at = 0, now

    def handle(self, conn: Connection) -> Any:
        """Handle a request in a thread, from its bytes alone."""
        large = conn.held_bytes > LARGE_BODY
        conn.parser = get_parser(self.cfg, iter((conn.request.head,)), conn.client)
        try:
            return super().handle(conn)
        finally:
            conn.parser = conn.request = None
            if large:
                release_memory()

    def handle_request(self, req: Any, conn: Connection) -> Any:
        if conn.request.too_large:
            req.force_close()
        req.body, conn.request = BytesIO(conn.request.body), None
        req._expected_100_continue = False  # noqa: SLF001 - the main thread has answered it
        conn.sock.settimeout(SEND_DEADLINE_S)
        try:
            return super().handle_request(req, conn)
        except TimeoutError as error:
            raise StopIteration from error  # gunicorn closes the connection

    def _keepalive_after(self, _conn: Connection, keepalive: Any) -> bool:
        return bool(keepalive)  # the whole request was read, so nothing of it is left in the socket

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in (*self._reading, *self._closing):
            conn.deadline = min(conn.deadline, deadline)

    def _on_readable(self, conn: Connection, client: socket.socket) -> None:
        if client.fileno() < 0:  # closed after the poller reported it
            return
        with self._close_on_error(conn):
            data = conn.sock.recv(min(MAX_CHUNK, max(SMALL_REQUEST, conn.reader.missing_bytes)))
            if not data:
                self._close(conn)
            elif conn not in self._closing:
                if conn not in self._reading:
                    self._stop_polling(conn)
                    self._start_reading(conn)
                self._receive(conn, data)

    def _start_reading(self, conn: Connection) -> None:
        """Start to read a request."""
        conn.sock.setblocking(False)
        conn.deadline = time.monotonic() + READ_DEADLINE_S
        self._reading[conn] = None
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def _receive(self, conn: Connection, data: bytes) -> None:
        """Add bytes to a request; give it to a thread once it is complete."""
        conn.reader.feed(data)
        complete = conn.reader.take()
        if conn.reader.refusal:
            self._refuse(conn, conn.reader.refusal)
        elif complete:
            self._hold(conn, conn.reader.size)
            conn.request, conn.reader = complete, RequestReader(self.largest_body, complete.rest)
            self._stop_polling(conn)
            self.enqueue_req(conn)
        else:
            self._hold(conn, conn.reader.size)
            if conn.reader.take_continue():
                conn.sock.send(CONTINUE)
        self._refuse_largest()

    def _refuse_largest(self) -> None:
        """Refuse the largest unfinished requests until the rest is within the limit."""
        while self._held_bytes > MAX_BODIES_HELD * self.largest_body and self._reading:
            largest = max(self._reading, key=lambda conn: conn.held_bytes)
            if not largest.held_bytes:
                break
            self._refuse(largest, Refusal(503, "too many large requests come at once: try again in a minute"))

    def _hold(self, conn: Connection, size: int) -> None:
        """Count the bytes of a connection's request towards those of all."""
        size = size if size > SMALL_REQUEST else 0
        self._held_bytes += size - conn.held_bytes
        conn.held_bytes = size

    def _refuse(self, conn: Connection, refusal: Refusal) -> None:
        self._refused += 1
        self._stop_polling(conn)
        with self._close_on_error(conn):
            conn.sock.send(error_bytes(refusal.status, refusal.sentence))
            self._close_politely(conn)

    def _close_politely(self, conn: Connection) -> None:
        """Close our side, and the connection once the client has read the answer.

        If bytes of the client still arrive at a closed connection, the answer on its way is lost (RFC 9112, 9.6).
        """
        conn.reader = RequestReader(0)
        self._hold(conn, 0)
        conn.sock.setblocking(False)
        conn.sock.shutdown(socket.SHUT_WR)
        conn.deadline = time.monotonic() + (READ_DEADLINE_S if self.alive else STOP_KEEPALIVE_LINGER)
        self._closing[conn] = None
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def _make_room(self, but: Connection | None = None) -> None:
        """Close one connection that no thread handles, if there is one other than `but`."""
        candidates = chain(self._closing, self._reading, self.keepalived_conns)
        found = next((conn for conn in candidates if conn is not but), None)
        if found is not None:
            self._refused += found in self._reading
            self._close(found)

    def _stop_polling(self, conn: Connection) -> None:
        """Take a connection out of the poller and out of all lists."""
        for connections in (self._reading, self._closing):
            connections.pop(conn, None)
        with suppress(ValueError):
            self.keepalived_conns.remove(conn)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def _close(self, conn: Connection) -> None:
        self._stop_polling(conn)
        self._hold(conn, 0)
        self.nr_conns -= 1
        conn.close()

    @contextmanager
    def _close_on_error(self, conn: Connection) -> Iterator[None]:
        """Close the connection if the block fails. Otherwise the error would end gunicorn's main loop."""
        try:
            yield
        except OSError:
            self._close(conn)
        except Exception:
            self.log.exception("a connection is closed after an error")
            self._close(conn)
