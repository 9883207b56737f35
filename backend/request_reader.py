"""Reads one HTTP/1.1 request as its bytes arrive, and refuses it early if it breaks a limit."""

from dataclasses import dataclass

MAX_HEAD_BYTES = 32 << 10  # gunicorn's own limits, for a line and for the number of fields, are narrower
MAX_LENGTH_DIGITS = 18
HEAD_END = b"\r\n\r\n"
METHODS_WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})


@dataclass(frozen=True)
class CompleteRequest:
    """A request that has arrived.

    `too_large`: its body is over the limit and was not read. `rest`: the bytes after it, of the next request.
    """

    head: bytes
    body: bytes
    too_large: bool
    rest: bytes


@dataclass(frozen=True)
class Refusal:
    """An HTTP status, and a sentence for the client."""

    status: int
    sentence: str


class RequestReader:
    """Collects the bytes of one request. `refusal` is set if the request breaks a limit."""

    def __init__(self, largest_body: int, received: bytes = b"") -> None:
        self.refusal: Refusal | None = None
        self._largest_body = largest_body
        self._buffer = bytearray(received)
        self._searched = 0
        self._body_start: int | None = None
        self._body_length = 0
        self._too_large = False
        self._expects_continue = False

    @property
    def size(self) -> int:
        """Bytes in the buffer."""
        return len(self._buffer)

    @property
    def missing_bytes(self) -> int:
        """Bytes of the body still to come; 0 before the head is complete."""
        return 0 if self._body_start is None else max(0, self._body_start + self._body_length - self.size)

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._buffer += data
        if self._body_start is None:
            self._read_head()

    def take_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body. True once at most."""
        expected, self._expects_continue = self._expects_continue and self.missing_bytes > 0, False
        return expected

    def take(self) -> CompleteRequest | None:
        """The request; None if bytes are missing."""
        if self._body_start is None or self.missing_bytes:
            return None
        end = self._body_start + self._body_length
        with memoryview(self._buffer) as view:
            head, body, rest = bytes(view[: self._body_start]), bytes(view[self._body_start : end]), bytes(view[end:])
        return CompleteRequest(head, body, self._too_large, rest)

    def _read_head(self) -> None:
        while self._buffer.startswith(b"\r\n"):  # a server ignores empty lines before a request (RFC 9112, 2.2)
            del self._buffer[:2]
            self._searched = 0
        end = self._buffer.find(HEAD_END, max(0, self._searched - len(HEAD_END)))
        self._searched = self.size
        if end > MAX_HEAD_BYTES or (end < 0 and self.size > MAX_HEAD_BYTES):
            self.refusal = Refusal(431, f"the request's head has over {MAX_HEAD_BYTES >> 10} KiB: send fewer headers")
        elif end >= 0:
            self.refusal = self._read_fields(bytes(self._buffer[:end]))
            self._body_start = end + len(HEAD_END)

    def _read_fields(self, head: bytes) -> Refusal | None:
        """Find the length of the body. Returns the refusal of a head without a usable one."""
        request, *lines = head.split(b"\r\n")
        fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        lengths = [value for name, value in fields if name == b"content-length"]
        if any(name == b"transfer-encoding" for name, _ in fields):
            return Refusal(411, "the body comes in chunks: send it with a Content-Length")
        if not lengths and request.partition(b" ")[0] in METHODS_WITH_BODY:
            return Refusal(411, "the request has no Content-Length: send one")
        if len(lengths) > 1 or not all(value.isdigit() and len(value) <= MAX_LENGTH_DIGITS for value in lengths):
            return Refusal(400, "the Content-Length is not one number: send one")
        length = int(lengths[0]) if lengths else 0
        self._too_large = length > self._largest_body
        self._body_length = 0 if self._too_large else length
        self._expects_continue = any(name == b"expect" and value.lower() == b"100-continue" for name, value in fields)
        return None
