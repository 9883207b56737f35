"""Where Label Studio reaches a backend, and what it must send along."""

import base64
import ipaddress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from annotune.errors import ConfigurationError
from annotune.settings import Settings

SECRET_HEADER = "X-Annotune-Secret"  # noqa: S105 - a header's name


@dataclass(frozen=True)
class Address:
    """A backend's URL without a trailing slash, and the credentials that its settings ask for."""

    url: str
    user: str | None
    password: str | None
    secret: str | None

    @classmethod
    def of(cls, url: str | None, settings: Settings) -> Self:
        """The address that a person typed, else `BACKEND_URL`.

        Raises:
            ConfigurationError: there is none, or Label Studio would refuse a webhook to it.
        """
        given = url or settings.backend_url
        if not given:
            raise ConfigurationError("where does Label Studio reach this backend? Set BACKEND_URL, or give --url")
        password, secret = settings.basic_auth_pass, settings.webhook_secret
        return cls(
            url=_checked(given.strip()),
            user=settings.basic_auth_user if password else None,
            password=password.get_secret_value() if password and settings.basic_auth_user else None,
            secret=secret.get_secret_value() if secret else None,
        )

    @property
    def webhook(self) -> str:
        """Where Label Studio itself would put the webhook of a backend at this URL."""
        return f"{self.url}/webhook"

    @property
    def headers(self) -> dict[str, str]:
        """What the webhook must carry: Label Studio sends a backend's basic auth with all calls but these."""
        if self.secret:
            return {SECRET_HEADER: self.secret}
        if self.user and self.password:
            pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}


def same_url(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _checked(url: str) -> str:
    """The URL, if Django's URL check, which Label Studio puts webhooks through, would take its host."""
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
