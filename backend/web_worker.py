"""gunicorn's worker with threads, but a thread gets whole requests only.

gunicorn's own (27.0.1) lets a thread wait for each byte, so that as many clients as there are threads, each with half a
request, stop all of it; here its main thread, which polls the connections, collects the bytes. Written against the inside
of `gunicorn.workers.gthread` of the release that pyproject.toml pins: read it again before taking another.
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

READ_S = 10.0
SEND_S = 30.0
TELL_S = 60.0
CHUNK = 256 << 10
SMALL = 64 << 10  # requests up to this size are never refused for the size of all
BODIES_HELD = 8
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(TConn):  # type: ignore[misc]
    """A client's connection. `deadline`, of `time.monotonic()`, ends what it does now; `counted` are bytes that it holds."""

    def __init__(self, worker: "WebWorker", client: socket.socket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, client, address, server)
        self.initialized = True  # there is no TLS to begin
        self.incoming = RequestReader(worker.largest_body)
        self.request: Any = None  # a `Whole`, until a thread has read it
        self.deadline = 0.0
        self.counted = 0


class WebWorker(ThreadWorker):  # type: ignore[misc]
    """A connection is read, or with a thread, or idle between two requests (gunicorn's `keepalived_conns`), or closing:
    answered for the last time and kept until the client has seen the answer.

    All but `handle` and `handle_request` run in the main thread. A request is whole within `READ_S`, and an answer is
    taken within `SEND_S`. The bytes of larger requests, with threads or not, are at most `BODIES_HELD` largest bodies;
    beyond that the largest half request gets 503. Where there are too many connections, the oldest that no thread has go
    first, so that there is always a place for the next.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.largest_body: int = self.app.largest_body
        self._reading: dict[Connection, None] = {}  # oldest first, as all that follow
        self._closing: dict[Connection, None] = {}
        self._held = 0
        self._dropped = 0
        self._told_at = 0.0

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
        self._begin(conn)
        if self.nr_conns >= self.worker_connections:
            self._make_room(but=conn)

    def finish_request(self, conn: Connection, done: Any) -> None:
        """A thread is ready with a request."""
        conn.request = None
        keep = not done.cancelled() and done.exception() is None and done.result()
        with self._dropping_broken(conn):
            self._count(conn, conn.incoming.size)
            if not keep:
                self._close_politely(conn)
            elif conn.incoming.size:  # the next request came along
                self._begin(conn)
                self._take(conn, b"")
            else:
                conn.sock.setblocking(False)
                conn.timeout = time.monotonic() + (self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
                self.keepalived_conns.append(conn)
                self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def murder_pending(self) -> None:
        """Close what took too long."""
        now = time.monotonic()
        while self._reading and (conn := next(iter(self._reading))).deadline < now:
            if conn.incoming.size and self.alive:
                self._refuse(conn, Refusal(408, f"the request was not whole after {READ_S:.0f} s: send it faster"))
            else:
                self._drop(conn)
        while self._closing and (conn := next(iter(self._closing))).deadline < now:
            self._drop(conn)
        if self._dropped and self._told_at + TELL_S < now:
            self.log.warning("%d requests did not come whole, or not as they may: they were refused", self._dropped)
            self._dropped, self._told_at = 0, now

    def handle(self, conn: Connection) -> Any:
        """In a thread: a request, from its bytes alone."""
        large = conn.counted > LARGE_BODY
        conn.parser = get_parser(self.cfg, iter((conn.request.head,)), conn.client)
        try:
            return super().handle(conn)
        finally:
            conn.parser = conn.request = None
            if large:
                release_memory()

    def handle_request(self, req: Any, conn: Connection) -> Any:
        if conn.request.cut:
            req.force_close()
        req.body, conn.request = BytesIO(conn.request.body), None
        req._expected_100_continue = False  # noqa: SLF001 - it was answered, or there is nothing to wait for
        conn.sock.settimeout(SEND_S)
        try:
            return super().handle_request(req, conn)
        except TimeoutError as error:
            raise StopIteration from error  # gunicorn's word for a connection to close

    def _keepalive_after(self, _conn: Connection, keepalive: Any) -> bool:
        return bool(keepalive)  # nothing of the request is left to be read

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in (*self._reading, *self._closing):
            conn.deadline = min(conn.deadline, deadline)

    def _on_readable(self, conn: Connection, client: socket.socket) -> None:
        if client.fileno() < 0:  # dropped since the poller saw it
            return
        with self._dropping_broken(conn):
            data = conn.sock.recv(min(CHUNK, max(SMALL, conn.incoming.missing_bytes)))
            if not data:
                self._drop(conn)
            elif conn not in self._closing:
                if conn not in self._reading:
                    self._leave(conn)
                    self._begin(conn)
                self._take(conn, data)

    def _begin(self, conn: Connection) -> None:
        """Read a request."""
        conn.sock.setblocking(False)
        conn.deadline = time.monotonic() + READ_S
        self._reading[conn] = None
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def _take(self, conn: Connection, data: bytes) -> None:
        conn.incoming.feed(data)
        whole = conn.incoming.take()
        if conn.incoming.refusal:
            self._refuse(conn, conn.incoming.refusal)
        elif whole:
            self._count(conn, conn.incoming.size)
            conn.request, conn.incoming = whole, RequestReader(self.largest_body, whole.rest)
            self._leave(conn)
            self.enqueue_req(conn)
        else:
            self._count(conn, conn.incoming.size)
            if conn.incoming.take_continue():
                conn.sock.send(CONTINUE)
        while self._held > BODIES_HELD * self.largest_body and self._reading:
            largest = max(self._reading, key=lambda one: one.counted)
            if not largest.counted:
                break
            self._refuse(largest, Refusal(503, "too many large requests come at once: try again in a minute"))

    def _count(self, conn: Connection, size: int) -> None:
        size = size if size > SMALL else 0
        self._held += size - conn.counted
        conn.counted = size

    def _refuse(self, conn: Connection, refusal: Refusal) -> None:
        self._dropped += 1
        self._leave(conn)
        with self._dropping_broken(conn):
            conn.sock.send(error_bytes(refusal.status, refusal.sentence))
            self._close_politely(conn)

    def _close_politely(self, conn: Connection) -> None:
        """A connection that is closed while bytes still come loses the answer on its way (RFC 9112, 9.6)."""
        conn.incoming = RequestReader(0)
        self._count(conn, 0)
        conn.sock.setblocking(False)
        conn.sock.shutdown(socket.SHUT_WR)
        conn.deadline = time.monotonic() + (READ_S if self.alive else STOP_KEEPALIVE_LINGER)
        self._closing[conn] = None
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def _make_room(self, but: Connection | None = None) -> None:
        """Close a connection that no thread has, if there is one."""
        waiting = chain(self._closing, self._reading, self.keepalived_conns)
        found = next((conn for conn in waiting if conn is not but), None)
        if found is not None:
            self._dropped += found in self._reading
            self._drop(found)

    def _leave(self, conn: Connection) -> None:
        """Out of the poller's hands."""
        for kept in (self._reading, self._closing):
            kept.pop(conn, None)
        with suppress(ValueError):
            self.keepalived_conns.remove(conn)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def _drop(self, conn: Connection) -> None:
        self._leave(conn)
        self._count(conn, 0)
        self.nr_conns -= 1
        conn.close()

    @contextmanager
    def _dropping_broken(self, conn: Connection) -> Iterator[None]:
        """What fails for one connection ends that one; gunicorn's loop would end with it."""
        try:
            yield
        except OSError:
            self._drop(conn)
        except Exception:
            self.log.exception("a connection is dropped")
            self._drop(conn)
