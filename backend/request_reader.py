"""One HTTP/1.1 request while its bytes come in: how far it is, and whether it may come at all."""

from dataclasses import dataclass

MAX_HEAD_BYTES = 32 << 10  # bytes; gunicorn's own limits, for a line and for the number of fields, are narrower
LONGEST_LENGTH = 18  # digits
END = b"\r\n\r\n"
WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})


@dataclass(frozen=True)
class CompleteRequest:
    """A request that is there. `cut`: its body is larger than it may be, and was not read. `rest`: what came after it."""

    head: bytes
    body: bytes
    too_large: bool
    rest: bytes


@dataclass(frozen=True)
class Refusal:
    """An HTTP status, and a sentence."""

    status: int
    sentence: str


class RequestReader:
    """Collects the bytes of one request. `refusal` tells why it may not come."""

    def __init__(self, largest_body: int, begun: bytes = b"") -> None:
        self.refusal: Refusal | None = None
        self._largest = largest_body
        self._bytes = bytearray(begun)
        self._searched = 0
        self._body_at: int | None = None
        self._length = 0
        self._cut = False
        self._waits = False

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return len(self._bytes)

    @property
    def missing_bytes(self) -> int:
        """Bytes of the body that did not come yet; 0 while the head is not there."""
        return 0 if self._body_at is None else max(0, self._body_at + self._length - self.size)

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._bytes += data
        if self._body_at is None:
            self._read_head()

    def take_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body; said once."""
        waits, self._waits = self._waits and self.missing_bytes > 0, False
        return waits

    def take(self) -> CompleteRequest | None:
        """The request, once it is whole."""
        if self._body_at is None or self.missing_bytes:
            return None
        end = self._body_at + self._length
        with memoryview(self._bytes) as view:
            parts = (bytes(view[: self._body_at]), bytes(view[self._body_at : end]))
            return CompleteRequest(*parts, too_large=self._cut, rest=bytes(view[end:]))

    def _read_head(self) -> None:
        while self._bytes.startswith(b"\r\n"):  # empty lines before a request mean nothing (RFC 9112, 2.2)
            del self._bytes[:2]
            self._searched = 0
        end = self._bytes.find(END, max(0, self._searched - len(END)))
        self._searched = self.size
        if end > MAX_HEAD_BYTES or (end < 0 and self.size > MAX_HEAD_BYTES):
            self.refusal = Refusal(431, f"the request's head has over {MAX_HEAD_BYTES >> 10} KiB: send fewer headers")
        elif end >= 0:
            self.refusal = self._measure(bytes(self._bytes[:end]))
            self._body_at = end + len(END)

    def _measure(self, head: bytes) -> Refusal | None:
        request, *lines = head.split(b"\r\n")
        fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        lengths = [value for name, value in fields if name == b"content-length"]
        if any(name == b"transfer-encoding" for name, _ in fields):
            return Refusal(411, "the body comes in chunks: send it with a Content-Length")
        if not lengths and request.partition(b" ")[0] in WITH_BODY:
            return Refusal(411, "the request has no Content-Length: send one")
        if len(lengths) > 1 or not all(value.isdigit() and len(value) <= LONGEST_LENGTH for value in lengths):
            return Refusal(400, "the Content-Length is not one number: send one")
        length = int(lengths[0]) if lengths else 0
        self._cut = length > self._largest
        self._length = 0 if self._cut else length
        self._waits = any(name == b"expect" and value.lower() == b"100-continue" for name, value in fields)
        return None
