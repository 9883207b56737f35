"""Authentication of requests. All routes but health need basic auth; `/webhook` also accepts a secret header.

Label Studio (1.23) sends basic auth with `/setup`, `/predict` and START_TRAINING. A project's webhook has static headers
only.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Self

from werkzeug.datastructures import Headers

from annotune.errors import Unauthorized
from annotune.settings import SECRET_HEADER, Settings


@dataclass(frozen=True, repr=False)
class Credentials:
    """What a request may send, in bytes as they come over the wire; empty if not configured."""

    basic: tuple[bytes, ...]
    secret: tuple[bytes, ...]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises ConfigurationError if only one of user and password is set."""
        basic, secret = settings.basic_auth, settings.webhook_secret
        return cls(
            basic=_encodings(f"{basic.user}:{basic.password}") if basic else (),
            secret=_encodings(secret.get_secret_value()) if secret else (),
        )

    @property
    def webhook_is_open(self) -> bool:
        return not self.basic and not self.secret

    @property
    def gaps(self) -> list[str]:
        """Warnings for the deployer: which routes are open, and what to set."""
        both = "set BASIC_AUTH_USER and BASIC_AUTH_PASS"
        if self.basic:
            return []
        if not self.secret:
            return [f"all routes are open to anyone who reaches this address: {both}"]
        return [
            f"/setup, /predict and /versions are open to anyone who reaches this address: {both} beside WEBHOOK_SECRET",
            f"START_TRAINING will be refused, since Label Studio sends no header with it: {both} beside WEBHOOK_SECRET",
        ]

    def check(self, headers: Headers, *, webhook: bool = False) -> None:
        """Return if the request is authenticated.

        Raises:
            Unauthorized: it lacks the configured credentials.
        """
        if webhook:
            if self.webhook_is_open or self._has_secret(headers) or self._has_basic(headers):
                return
            raise Unauthorized(
                f"the webhook needs the header {SECRET_HEADER} (WEBHOOK_SECRET) or basic auth (BASIC_AUTH_USER and"
                " BASIC_AUTH_PASS): run 'annotune connect' again"
            )
        if self.basic and not self._has_basic(headers):
            raise Unauthorized(
                "basic auth is missing or wrong: give Label Studio the values of BASIC_AUTH_USER and BASIC_AUTH_PASS"
            )

    def _has_secret(self, headers: Headers) -> bool:
        sent = headers.get(SECRET_HEADER, "").encode("latin-1", "replace")
        return _is_one_of(sent, self.secret)

    def _has_basic(self, headers: Headers) -> bool:
        scheme, _, value = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            sent = base64.b64decode(value.strip().encode("ascii"), validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return False
        return _is_one_of(sent, self.basic)


def _encodings(text: str) -> tuple[bytes, ...]:
    """The text in UTF-8, and in Latin-1 if possible: Label Studio's HTTP client (requests) sends Latin-1."""
    utf8, latin1 = text.encode(), text.encode("latin-1", "ignore")
    return (utf8, latin1) if latin1.decode("latin-1") == text else (utf8,)


def _is_one_of(sent: bytes, accepted: tuple[bytes, ...]) -> bool:
    """Compare in constant time."""
    return any([hmac.compare_digest(sent, one) for one in accepted])  # noqa: C419 - no early end
