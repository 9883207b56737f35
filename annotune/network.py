"""One deadline and one size limit for a whole call over HTTP.

An HTTP client's timeout covers one read. So a server that sends a byte now and then, or `102 Processing` again and again,
can hold a call for as long as it likes. Here each connect, read and write gets the time that is left of its call.
"""

import ipaddress
import math
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpcore
import httpcore2
import httpx
import httpx2

from annotune.deadline import Deadline

Client = TypeVar("Client", httpx.Client, httpx2.Client)
Resolve = Callable[[str], list[str]]
RESOLVERS = 8
PIECE_BYTES = 1 << 14
LEAST_S = 0.001  # a timeout of 0 s would make a socket non-blocking
SMALL_BYTES = 8 << 20  # the limit of an answer without a picture or a page of tasks


class AnswerTooLarge(ValueError):
    """A server sent more bytes than the call accepts."""


@dataclass
class _Call:
    """`bytes_left`: how many bytes may still be received."""

    deadline: Deadline = field(default_factory=Deadline.never)
    bytes_left: float = math.inf


class Network:
    """Opens the connections of the clients that are bound to it. All threads share it; a call belongs to one thread."""

    def __init__(self, resolver: "Resolver | None" = None) -> None:
        self._resolver = resolver or Resolver()
        self._thread = threading.local()

    def bind(self, client: Client, *, packed: bool = False) -> Client:
        """Limit all connections of a client, those through a proxy too, to the call in which they are used.

        `packed`: answers may be compressed. Otherwise none is decompressed, because a few bytes can become millions.
        """
        # httpx has no public way to set a network backend that keeps the environment's proxies (httpx 0.28, httpx2 2.16).
        for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
            pool: Any = getattr(transport, "_pool", None)
            if pool is not None:  # None: a mount for addresses that bypass the proxy
                vendor = httpcore2 if isinstance(pool, httpcore2.ConnectionPool) else httpcore
                pool._network_backend = _Backend(pool._network_backend, self, self._resolver, vendor)  # noqa: SLF001
        if not packed:
            client.headers["Accept-Encoding"] = "identity"
            client.event_hooks["response"].append(_leave_packed)
        return client

    @contextmanager
    def call(self, deadline: Deadline, most_bytes: float = math.inf) -> Iterator[None]:
        """All that this thread sends and receives inside the block is one call. A nested call ends with the outer one.

        After the deadline the client raises its own timeout, after `most_bytes` received AnswerTooLarge. Both close the
        connection.
        """
        outer = self._call
        self._thread.call = _Call(outer.deadline.sooner(deadline), most_bytes)
        try:
            yield
        finally:
            self._thread.call = outer

    def resolve(self, host: str) -> list[str]:
        """The addresses of a host.

        Raises:
            TimeoutError: the call's deadline passed first.
            OSError: the host has no address, or none can be looked up.
        """
        return self._resolver.addresses(host, self._call.deadline)

    def step_deadline(self, timeout_s: float | None, late: type[Exception]) -> Deadline:
        """The deadline of one step of the call, to which the client gives `timeout_s`.

        Raises:
            late: the call's deadline has passed.
        """
        deadline = self._call.deadline
        if not deadline.left_s:
            raise late("the deadline has passed")
        return deadline if timeout_s is None else deadline.sooner(Deadline.after(timeout_s))

    def left_s(self, timeout_s: float | None, late: type[Exception]) -> float | None:
        """The seconds that one step of the call may take; None: no limit. Raises as `step_deadline`."""
        return _socket_timeout(self.step_deadline(timeout_s, late))

    def received(self, number: int) -> None:
        """Count the bytes of a read.

        Raises:
            AnswerTooLarge: there are more than the call accepts.
        """
        call = self._call
        call.bytes_left -= number
        if call.bytes_left < 0:
            raise AnswerTooLarge("a server sent more than the call accepts")

    @property
    def _call(self) -> _Call:
        call: _Call = getattr(self._thread, "call", None) or _Call()
        return call


class Resolver:
    """Looks up the addresses of hosts, each within a deadline.

    `getaddrinfo` takes no timeout. So each look-up has a thread of its own, which is left behind if it hangs. There are at
    most `threads` of them.
    """

    def __init__(self, resolve: Resolve | None = None, *, threads: int = RESOLVERS) -> None:
        self._resolve = resolve or _resolve
        self._free = threading.Semaphore(threads)

    def addresses(self, host: str, deadline: Deadline) -> list[str]:
        """The addresses of a host. Raises as `Network.resolve`."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        if not self._free.acquire(timeout=deadline.left_s):
            raise TimeoutError(f"{host} was not looked up in time: all threads for that are busy")
        found: Future[list[str]] = Future()
        try:
            threading.Thread(target=self._find, args=(host, found), name="resolve", daemon=True).start()
        except RuntimeError as error:  # the system has no thread left
            self._free.release()
            raise OSError(f"{host} cannot be looked up: {error}") from error
        return found.result(deadline.left_s)

    def _find(self, host: str, found: Future[list[str]]) -> None:
        try:
            found.set_result(self._resolve(host))
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            found.set_exception(error)
        finally:
            self._free.release()


class _Backend(httpcore.NetworkBackend):
    """Opens connections. `vendor` is httpcore or httpcore2: they have the same interface and different errors."""

    def __init__(self, inner: Any, network: Network, resolver: Resolver, vendor: Any) -> None:
        self._inner = inner
        self._network = network
        self._resolver = resolver
        self._vendor = vendor

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any) -> Any:
        """Try each address of a host. Each gets an equal share of the time, since one may not answer at all."""
        vendor = self._vendor
        deadline = self._network.step_deadline(timeout, vendor.ReadTimeout)
        try:
            found = self._resolver.addresses(host, deadline)
        except TimeoutError as error:
            raise vendor.ConnectTimeout(f"{host} was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise vendor.ConnectError(str(error)) from error
        failed: Exception = vendor.ConnectError(f"{host} has no address")
        for number, address in enumerate(found):
            share_s = _socket_timeout(deadline, len(found) - number)
            try:
                stream = self._inner.connect_tcp(address, port, share_s, *args, **kwargs)
            except (vendor.ConnectError, vendor.ConnectTimeout) as error:
                failed = error
            else:
                return _Stream(stream, self._network, vendor)
        raise failed


class _Stream(httpcore.NetworkStream):
    """A connection. It may outlive the call that opened it, so each step asks the network for the current call."""

    def __init__(self, inner: Any, network: Network, vendor: Any) -> None:
        self._inner = inner
        self._network = network
        self._vendor = vendor

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        block: bytes = self._inner.read(max_bytes, self._network.left_s(timeout, self._vendor.ReadTimeout))
        self._network.received(len(block))
        return block

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write in pieces: the vendor starts a new timeout for each part that the system accepts."""
        view = memoryview(buffer)
        for start in range(0, len(view), PIECE_BYTES):
            piece = view[start : start + PIECE_BYTES]
            self._inner.write(piece, self._network.left_s(timeout, self._vendor.WriteTimeout))

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        left_s = self._network.left_s(timeout, self._vendor.ReadTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left_s), self._network, self._vendor)

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def get(url: str, deadline: Deadline, *, trust_env: bool = False) -> httpx.Response:
    """GET a small answer.

    Raises:
        httpx.HTTPError, httpx.InvalidURL: no whole answer came before the deadline.
        AnswerTooLarge: it has more than `SMALL_BYTES`.
    """
    network = Network()
    client = httpx.Client(timeout=deadline.left_s, trust_env=trust_env)
    with network.bind(client), network.call(deadline, SMALL_BYTES):
        return client.get(url)


def post(url: str, body: object, deadline: Deadline, *, headers: Mapping[str, str]) -> httpx.Response:
    """POST JSON, through the proxies of the environment. Raises as `get`."""
    network = Network()
    client = httpx.Client(timeout=deadline.left_s)
    with network.bind(client), network.call(deadline, SMALL_BYTES):
        return client.post(url, json=body, headers=dict(headers))


def _resolve(host: str) -> list[str]:
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)))


def _socket_timeout(deadline: Deadline, shares: int = 1) -> float | None:
    """One of so many equal shares of the seconds left, as a socket takes them."""
    return None if deadline.is_never else max(deadline.left_s / shares, LEAST_S)


def _leave_packed(response: Any) -> None:
    response.headers.pop("Content-Encoding", None)
