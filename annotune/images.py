"""Pictures for a model that sees: fetched from Label Studio or an allow-list, and from nowhere else.

A task's data is written by whoever imports it, so an address in it is no reason to connect anywhere: the token goes only
to Label Studio's own file paths, no redirect is followed, and other hosts are reached at the very address that was checked.
"""

import base64
import binascii
import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx

from annotune.chat import Image
from annotune.deadline import Deadline
from annotune.errors import RequestInvalid
from annotune.network import SMALL_BYTES, Network, Resolve, Resolver
from annotune.settings import MEGABYTE, Settings

FILES = ("/data/", "/storage-data/")  # Label Studio's own (1.23)
ACCESS_S = 240.0  # an access token lives 300 s
SIGNS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
# Networks of IPv6 whose last 32 bits are an address of IPv4.
NAT64, COMPATIBLE = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ImageFetcher:
    """Fetches pictures by the settings' rules. Shared by all threads of a process."""

    def __init__(self, settings: Settings, *, resolve: Resolve | None = None) -> None:
        self._studio = urlsplit(settings.label_studio_url.rstrip("/")) if settings.label_studio_url else None
        self._key = settings.label_studio_api_key
        self._most = int(settings.image_max_mb * MEGABYTE)
        self._timeout_s = settings.image_timeout_s
        self._network = Network(Resolver(resolve))
        self._tls = httpx.create_ssl_context(trust_env=False)  # it takes 20 ms
        self._hosts, self._networks = _allowed(settings.image_places)
        self._access: tuple[float, str] | None = None

    def fetch(self, address: str, deadline: Deadline) -> Image:
        """The picture at an address: a URL, a path of Label Studio, or a `data:` URI.

        All of it ends by the deadline, and takes IMAGE_TIMEOUT_S at most.

        Raises:
            DeadlineExceeded: the deadline has passed already.
            RequestInvalid: it is none that may be fetched, cannot be reached, is too large, or is no picture.
        """
        deadline.check()
        if address[:5].lower() == "data:":
            return self._picture(_inline(address, self._most))
        whole = address
        if self._studio and "://" not in address and not address.startswith("//"):
            whole = f"{self._studio.geturl()}/{address.lstrip('/')}"
        with _told():
            parts = urlsplit(whole)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            raise RequestInvalid("a picture's address is no http(s) URL and no path of Label Studio: fix the task")
        with _told(), self._network.call(deadline.sooner(Deadline.after(self._timeout_s))):
            if self._studio and (parts.scheme, parts.hostname, port) == _origin(self._studio):
                return self._picture(self._get(whole, self._own_headers(parts)))
            return self._picture(self._get(*self._checked(parts, port), host=parts.hostname))

    def _own_headers(self, parts: SplitResult) -> dict[str, str]:
        """The token, for a file of Label Studio's own; anything else there is not asked for."""
        path = parts.path.removeprefix(self._studio.path if self._studio else "")
        if not path.startswith(FILES) or ".." in path or "%2e" in path.lower():
            raise RequestInvalid(f"Label Studio's pictures are below {' and '.join(FILES)}: this one is not fetched")
        return {"Authorization": self._token()} if self._key else {}

    def _token(self) -> str:
        """A legacy token as it is; a personal access token is changed for one of five minutes."""
        key = self._key.get_secret_value() if self._key else ""
        if key.count(".") != 2:  # noqa: PLR2004 - the parts of a JWT
            return f"Token {key}"
        if self._access is None or time.monotonic() > self._access[0]:
            url = f"{self._studio.geturl() if self._studio else ''}/api/token/refresh"
            with self._client() as client, self._network.call(Deadline.after(self._timeout_s), SMALL_BYTES):
                reply = client.post(url, json={"refresh": key})
            self._access = (time.monotonic() + ACCESS_S, str(reply.raise_for_status().json()["access"]))
        return f"Bearer {self._access[1]}"

    def _checked(self, parts: SplitResult, port: int | None) -> tuple[str, dict[str, str]]:
        """The URL by address, and the headers, of a host that is allowed."""
        host = (parts.hostname or "").rstrip(".").lower()
        found = [_plain(one) for one in self._network.resolve(host)]
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
        """One for each call: a connection that is kept might be another host's at the same address."""
        return self._network.bind(httpx.Client(verify=self._tls, trust_env=False, timeout=self._timeout_s))

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
                if len(body) > self._most:
                    raise RequestInvalid(f"a picture has over {self._most // MEGABYTE} MB: raise IMAGE_MAX_MB")
        return bytes(body)

    def _picture(self, data: bytes) -> Image:
        if len(data) > self._most:
            raise RequestInvalid(f"a picture has over {self._most // MEGABYTE} MB: raise IMAGE_MAX_MB")
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


def _plain(address: str) -> Address:
    """An IPv4 address that is written as one of IPv6 is that IPv4 address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and (found in NAT64 or found in COMPATIBLE):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        return inner or found
    return found


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _inline(address: str, most: int) -> bytes:
    head, _, body = address.partition(",")
    if not head.lower().endswith(";base64"):
        raise RequestInvalid("a picture's data: URI is not base64: fix the task")
    if len(body) > most * 4 // 3 + 4:
        raise RequestInvalid(f"a picture has over {most // MEGABYTE} MB: raise IMAGE_MAX_MB")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestInvalid("a picture's data: URI is broken base64: fix the task") from error


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong on the way, without the address: it may hold a secret."""
    try:
        yield
    except (httpx.TimeoutException, TimeoutError) as error:
        raise RequestInvalid(
            "a picture's server did not answer in time: raise IMAGE_TIMEOUT_S, or try again"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, LookupError) as error:
        raise RequestInvalid("a picture cannot be fetched: its address is wrong, or its server away") from error
