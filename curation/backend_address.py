"""Where Label Studio reaches a backend, and what it must send there."""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from annotune.errors import ConfigurationError
from annotune.settings import SECRET_HEADER, Settings


@dataclass(frozen=True)
class BackendAddress:
    """A backend's URL, without a slash at its end. `user` and `password` are its basic auth, or None.

    `headers` are those of its webhook: Label Studio sends the basic auth of a backend with all calls but a webhook's.
    """

    url: str
    user: str | None
    password: str | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, url: str | None, settings: Settings) -> Self:
        """The address `url`, else `BACKEND_URL`.

        Raises:
            ConfigurationError: neither is set, Label Studio would refuse a webhook to it, or half of the basic auth is set.
        """
        address = url or settings.backend_url
        if not address:
            raise ConfigurationError("where does Label Studio reach this backend? Set BACKEND_URL, or give --url")
        basic, secret = settings.basic_auth, settings.webhook_secret
        headers = {}
        if secret:
            headers[SECRET_HEADER] = secret.get_secret_value()
        elif basic:
            encoded = base64.b64encode(f"{basic.user}:{basic.password}".encode()).decode()
            headers["Authorization"] = f"Basic {encoded}"
        return cls(
            url=_checked(address.strip()),
            user=basic.user if basic else None,
            password=basic.password if basic else None,
            headers=headers,
        )

    @property
    def webhook(self) -> str:
        """The webhook's URL: where Label Studio itself puts the webhook of a backend at this URL."""
        return f"{self.url}/webhook"


def same_url(one: str, other: str) -> bool:
    """Whether two URLs are equal, but for a slash at the end."""
    return one.rstrip("/") == other.rstrip("/")


def _checked(url: str) -> str:
    """The URL, without a slash at its end. Its host must pass Django's URL check, which Label Studio uses for webhooks.

    Raises:
        ConfigurationError: it would not, or the URL holds a password.
    """
    if "@" in url.partition("//")[2].partition("/")[0]:  # Label Studio shows the URL to all its users
        raise ConfigurationError(
            "leave the name and the password out of the backend's URL: BASIC_AUTH_USER and BASIC_AUTH_PASS are for them"
        )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"{url!r} is no URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigurationError(f"{url!r} is no URL of a backend: write one like 'http://ml-backend.internal:9090'")
    if "." not in host and host != "localhost" and not _is_ip(host):
        raise ConfigurationError(
            f"Label Studio makes no webhook to {url!r}, since the name {host!r} has no dot: give the service a dotted"
            f" network alias such as '{host.replace('_', '-')}.internal', and connect that"
        )
    return url.rstrip("/")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
