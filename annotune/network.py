"""One deadline, and one cap, for a whole call over HTTP.

A client's own timeout is one for each read: a server that sends a byte now and then, or `102 Processing` again and again,
holds a call for as long as it likes. Here each connect, read and write gets what is left of the call that it belongs to.
"""

import ipaddress
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpcore
import httpcore2
import httpx
import httpx2

Client = TypeVar("Client", httpx.Client, httpx2.Client)
Resolve = Callable[[str], list[str]]
RESOLVERS = 8
PIECE_BYTES = 1 << 14
LEAST_S = 0.001  # to a socket, 0 s says that it waits for nothing at all
SMALL_BYTES = 8 << 20  # of any answer that holds neither a picture nor a page of tasks


class AnswerTooLarge(ValueError):
    """A server sent more than the call takes."""


@dataclass
class _Call:
    """`ends` is a moment of `time.monotonic()`; `bytes_left` is what may still be received."""

    ends: float = math.inf
    bytes_left: float = math.inf


class Network:
    """What the clients that are bound to it connect by. Shared by all threads of a process; a call is one thread's."""

    def __init__(self, resolver: "Resolver | None" = None) -> None:
        self._resolver = resolver or Resolver()
        self._thread = threading.local()

    def bind(self, client: Client, *, packed: bool = False) -> Client:
        """Let all connections of a client, those by a proxy too, keep to the call that they are used in.

        `packed`: its answers may be compressed. Else none is unpacked, as a few bytes of one can become millions.
        """
        # httpx takes a network backend by no public way that leaves the proxies of the environment in use (0.28, 2.16).
        for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
            pool: Any = getattr(transport, "_pool", None)
            if pool is not None:  # it is where an address goes past the proxy
                vendor = httpcore2 if isinstance(pool, httpcore2.ConnectionPool) else httpcore
                pool._network_backend = _Backend(pool._network_backend, self, self._resolver, vendor)  # noqa: SLF001
        if not packed:
            client.headers["Accept-Encoding"] = "identity"
            client.event_hooks["response"].append(_leave_packed)
        return client

    @contextmanager
    def call(self, seconds: float, most_bytes: float = math.inf) -> Iterator[None]:
        """What this thread sends and receives meanwhile is one call. One within another ends with that one at the latest.

        The client raises its own timeout where the deadline strikes, and AnswerTooLarge where more than `most_bytes` come;
        the connection is closed then.
        """
        outer = self._call
        self._thread.call = _Call(min(outer.ends, time.monotonic() + seconds), most_bytes)
        try:
            yield
        finally:
            self._thread.call = outer

    def resolve(self, host: str) -> list[str]:
        """The addresses of a host. Raises OSError; TimeoutError where the call has ended before."""
        return self._resolver.addresses(host, self._call.ends)

    def ends(self, timeout_s: float | None, late: type[Exception]) -> float:
        """The moment by which a step that the client gives so long has to be done. Raises `late` where it has passed."""
        now, ends = time.monotonic(), self._call.ends
        if ends <= now:
            raise late("the deadline has passed")
        return ends if timeout_s is None else min(ends, now + timeout_s)

    def left_s(self, timeout_s: float | None, late: type[Exception]) -> float | None:
        """What one step of the call may take, as `ends`; None: for ever."""
        ends = self.ends(timeout_s, late)
        return None if math.isinf(ends) else max(ends - time.monotonic(), LEAST_S)

    def received(self, number: int) -> None:
        """Count the bytes of a read. Raises AnswerTooLarge."""
        call = self._call
        call.bytes_left -= number
        if call.bytes_left < 0:
            raise AnswerTooLarge("a server sent more than the call takes")

    @property
    def _call(self) -> _Call:
        call: _Call = getattr(self._thread, "call", None) or _Call()
        return call


class Resolver:
    """Names to addresses, within a time.

    `getaddrinfo` takes no timeout: one that hangs is left to its thread, and there are at most so many of those.
    """

    def __init__(self, resolve: Resolve | None = None, *, threads: int = RESOLVERS) -> None:
        self._resolve = resolve or _resolve
        self._free = threading.Semaphore(threads)

    def addresses(self, host: str, ends: float) -> list[str]:
        """The addresses of a host by a moment of `time.monotonic()`. Raises OSError; TimeoutError where it is past."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        if not self._free.acquire(timeout=_until(ends)):
            raise TimeoutError("so many names are being looked up that this one was not, in time")
        found: Future[list[str]] = Future()
        try:
            threading.Thread(target=self._find, args=(host, found), name="resolve", daemon=True).start()
        except RuntimeError as error:  # the system has no thread left
            self._free.release()
            raise OSError(f"{host} is not looked up: {error}") from error
        return found.result(_until(ends))

    def _find(self, host: str, found: Future[list[str]]) -> None:
        try:
            found.set_result(self._resolve(host))
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            found.set_exception(error)
        finally:
            self._free.release()


class _Backend(httpcore.NetworkBackend):
    """Opens connections. `vendor` is httpcore or httpcore2: their interfaces are the same, their errors are not."""

    def __init__(self, inner: Any, network: Network, resolver: Resolver, vendor: Any) -> None:
        self._inner = inner
        self._network = network
        self._resolver = resolver
        self._vendor = vendor

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any) -> Any:
        """Each address gets an equal share of the time, so that a silent one leaves some to the next."""
        vendor = self._vendor
        ends = self._network.ends(timeout, vendor.ReadTimeout)
        try:
            found = self._resolver.addresses(host, ends)
        except TimeoutError as error:
            raise vendor.ConnectTimeout(f"{host} was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise vendor.ConnectError(str(error)) from error
        failed: Exception = vendor.ConnectError(f"{host} has no address")
        for left, address in zip(range(len(found), 0, -1), found, strict=True):
            share = None if math.isinf(ends) else max(_until(ends) / left, LEAST_S)
            try:
                stream = self._inner.connect_tcp(address, port, share, *args, **kwargs)
            except (vendor.ConnectError, vendor.ConnectTimeout) as error:
                failed = error
            else:
                return _Stream(stream, self._network, vendor)
        raise failed


class _Stream(httpcore.NetworkStream):
    """A connection. It may be kept beyond the call that opened it: the call is looked up each time."""

    def __init__(self, inner: Any, network: Network, vendor: Any) -> None:
        self._inner = inner
        self._network = network
        self._vendor = vendor

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        block: bytes = self._inner.read(max_bytes, self._network.left_s(timeout, self._vendor.ReadTimeout))
        self._network.received(len(block))
        return block

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """By pieces: the vendor waits anew for each part that the system takes."""
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


def get(url: str, *, seconds: float, trust_env: bool = False) -> httpx.Response:
    """GET, whole within so many seconds. Raises httpx.HTTPError, httpx.InvalidURL, AnswerTooLarge."""
    network = Network()
    with network.bind(httpx.Client(timeout=seconds, trust_env=trust_env)) as client, network.call(seconds, SMALL_BYTES):
        return client.get(url)


def post(url: str, body: object, *, headers: Mapping[str, str], seconds: float) -> httpx.Response:
    """POST of JSON, whole within so many seconds, by the proxies of the environment. Raises as `get`."""
    network = Network()
    with network.bind(httpx.Client(timeout=seconds)) as client, network.call(seconds, SMALL_BYTES):
        return client.post(url, json=body, headers=dict(headers))


def _resolve(host: str) -> list[str]:
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)))


def _until(ends: float) -> float:
    """The seconds until a moment of `time.monotonic()`, as `threading` takes them."""
    return min(max(ends - time.monotonic(), 0), threading.TIMEOUT_MAX)


def _leave_packed(response: Any) -> None:
    response.headers.pop("Content-Encoding", None)
