"""Images of tasks, for a model that sees. They come from Label Studio or an allow-list, and from nowhere else.

Whoever imports a task writes its data, so an address in it is not trusted. The token goes only to Label Studio's own
files. No redirect is followed. Other hosts are reached at the very IP address that was checked.
"""

import base64
import binascii
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx

from annotune.chat import Image
from annotune.deadline import Deadline
from annotune.errors import RequestInvalid
from annotune.label_studio.files import PORTS, LabelStudioFiles
from annotune.network import SMALL_BYTES, Network, Resolve, Resolver
from annotune.settings import MEGABYTE, Settings

SIGNS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
# IPv6 networks whose last 32 bits are an IPv4 address.
NAT64, COMPATIBLE = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ImageFetcher:
    """Fetches images by the rules of the settings. Shared by all threads of a process."""

    def __init__(self, settings: Settings, *, resolve: Resolve | None = None) -> None:
        url, key = settings.label_studio_url, settings.label_studio_api_key
        self._files = LabelStudioFiles(url, key.get_secret_value() if key else None, self._post) if url else None
        self._max_bytes = int(settings.image_max_mb * MEGABYTE)
        self._timeout_s = settings.image_timeout_s
        self._network = Network(Resolver(resolve))
        self._tls = httpx.create_ssl_context(trust_env=False)  # it takes 20 ms
        self._hosts, self._networks = _allowed(settings.image_places)

    def fetch(self, address: str, deadline: Deadline) -> Image:
        """The image at an address: a URL, a path of Label Studio, or a `data:` URI.

        Fetching ends by the deadline, and takes IMAGE_TIMEOUT_S at most.

        Raises:
            DeadlineExceeded: the deadline has passed already.
            RequestInvalid: the address is not allowed, cannot be reached, or holds no image or too large a one.
        """
        deadline.check()
        if address[:5].lower() == "data:":
            return self._image(_inline(address, self._max_bytes))
        url = address
        if self._files and "://" not in address and not address.startswith("//"):
            url = self._files.url_of(address)
        with _mapped():
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            raise RequestInvalid("a picture's address is no http(s) URL and no path of Label Studio: fix the task")
        with _mapped(), self._network.call(deadline.sooner(Deadline.after(self._timeout_s))):
            if self._files and self._files.is_at(parts):
                return self._image(self._get(url, self._files.headers_for(parts)))
            return self._image(self._get(*self._checked(parts, port), host=parts.hostname))

    def _checked(self, parts: SplitResult, port: int | None) -> tuple[str, dict[str, str]]:
        """The URL with the host's IP address, and the headers.

        Raises:
            RequestInvalid: the host is not allowed.
            OSError: it has no address.
        """
        host = (parts.hostname or "").rstrip(".").lower()
        found = [_unwrapped(one) for one in self._network.resolve(host)]
        inside = bool(found) and all(any(one in net for net in self._networks) for one in found)
        if not inside and host not in self._hosts:
            raise RequestInvalid(f"pictures are not fetched from {host!r}: add it to IMAGE_HOSTS if it can be trusted")
        if not inside and not all(one.is_global and not one.is_multicast for one in found):
            raise RequestInvalid(f"{host!r} is a private address: add its network to IMAGE_HOSTS if it can be trusted")
        shown = f"[{found[0]}]" if found[0].version == 6 else str(found[0])  # noqa: PLR2004
        path = parts.path or "/"
        url = f"{parts.scheme}://{shown}:{port}{path}{f'?{parts.query}' if parts.query else ''}"
        return url, {"Host": parts.netloc}

    def _client(self) -> httpx.Client:
        """A client for one call: a connection that stays open might be another host's at the same address."""
        return self._network.bind(httpx.Client(verify=self._tls, trust_env=False, timeout=self._timeout_s))

    def _post(self, url: str, body: object) -> httpx.Response:
        """Within the call for the image, and by its deadline."""
        with self._client() as client, self._network.call(Deadline.never(), SMALL_BYTES):
            return client.post(url, json=body)

    def _get(self, url: str, headers: dict[str, str], host: str | None = None) -> bytes:
        extensions: dict[str, Any] = {"sni_hostname": host} if host else {}
        body = bytearray()
        with (
            self._client() as client,
            client.stream("GET", url, headers=headers, extensions=extensions) as reply,
        ):
            if reply.status_code != httpx.codes.OK:
                raise RequestInvalid(f"a picture's server answered {reply.status_code}: fix the task's address")
            for block in reply.iter_raw():
                body += block
                if len(body) > self._max_bytes:
                    raise RequestInvalid(f"a picture has over {self._max_bytes // MEGABYTE} MB: raise IMAGE_MAX_MB")
        return bytes(body)

    def _image(self, data: bytes) -> Image:
        if len(data) > self._max_bytes:
            raise RequestInvalid(f"a picture has over {self._max_bytes // MEGABYTE} MB: raise IMAGE_MAX_MB")
        kind = next((kind for sign, kind in SIGNS.items() if data.startswith(sign)), None)
        if kind is None and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            kind = "image/webp"
        if kind is None:
            raise RequestInvalid("what the task names is no picture: PNG, JPEG, GIF and WEBP are read")
        return Image(data, kind)


def _allowed(places: tuple[str, ...]) -> tuple[frozenset[str], list[ipaddress.IPv4Network | ipaddress.IPv6Network]]:
    hosts, networks = set(), []
    for place in places:
        try:
            networks.append(ipaddress.ip_network(place, strict=False))
        except ValueError:
            hosts.add(place.lower())
    return frozenset(hosts), networks


def _unwrapped(address: str) -> Address:
    """An address. An IPv4 address inside an IPv6 one is that IPv4 address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and (found in NAT64 or found in COMPATIBLE):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        return inner or found
    return found


def _inline(address: str, max_bytes: int) -> bytes:
    """The bytes of a `data:` URI. Raises RequestInvalid."""
    head, _, body = address.partition(",")
    if not head.lower().endswith(";base64"):
        raise RequestInvalid("a picture's data: URI is not base64: fix the task")
    if len(body) > max_bytes * 4 // 3 + 4:
        raise RequestInvalid(f"a picture has over {max_bytes // MEGABYTE} MB: raise IMAGE_MAX_MB")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestInvalid("a picture's data: URI is broken base64: fix the task") from error


@contextmanager
def _mapped() -> Iterator[None]:
    """Errors on the way become RequestInvalid, without the address: it may hold a secret."""
    try:
        yield
    except (httpx.TimeoutException, TimeoutError) as error:
        raise RequestInvalid(
            "a picture's server did not answer in time: raise IMAGE_TIMEOUT_S, or try again"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, LookupError) as error:
        raise RequestInvalid("a picture cannot be fetched: its address is wrong, or its server away") from error
