"""Who may ask: basic auth for all but health, and for `/webhook` a secret header as well.

Label Studio (1.23) sends basic auth with `/setup`, `/predict` and START_TRAINING, and only static headers with the webhook
of a project: either is accepted there.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Self

from werkzeug.datastructures import Headers

from annotune.errors import ConfigurationError, Unauthorized
from annotune.settings import Settings

SECRET_HEADER = "X-Annotune-Secret"  # noqa: S105 - a header's name


@dataclass(frozen=True, repr=False)
class Credentials:
    """Each as the bytes that may come over the wire; empty where not configured."""

    basic: tuple[bytes, ...]
    secret: tuple[bytes, ...]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises ConfigurationError where only one half of the basic auth is set."""
        user, password, secret = settings.basic_auth_user, settings.basic_auth_pass, settings.webhook_secret
        if (user is None) != (password is None):
            missing = "BASIC_AUTH_USER" if user is None else "BASIC_AUTH_PASS"
            raise ConfigurationError(f"{missing} is not set: set both BASIC_AUTH_USER and BASIC_AUTH_PASS, or neither")
        return cls(
            basic=_spellings(f"{user}:{password.get_secret_value()}") if password else (),
            secret=_spellings(secret.get_secret_value()) if secret else (),
        )

    @property
    def webhook_is_open(self) -> bool:
        return not self.basic and not self.secret

    @property
    def gaps(self) -> list[str]:
        """What a deployer should know of them."""
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
        """Let a request pass.

        Raises:
            Unauthorized: it has not what is configured.
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
        given = headers.get(SECRET_HEADER, "").encode("latin-1", "replace")
        return _is_one_of(given, self.secret)

    def _has_basic(self, headers: Headers) -> bool:
        scheme, _, value = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(value.strip().encode("ascii"), validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return False
        return _is_one_of(given, self.basic)


def _spellings(text: str) -> tuple[bytes, ...]:
    """In UTF-8, and in Latin-1 where that can hold it, as Label Studio's HTTP client (requests) writes it."""
    utf8, latin1 = text.encode(), text.encode("latin-1", "ignore")
    return (utf8, latin1) if latin1.decode("latin-1") == text else (utf8,)


def _is_one_of(given: bytes, spellings: tuple[bytes, ...]) -> bool:
    """Compared in constant time."""
    return any([hmac.compare_digest(given, spelling) for spelling in spellings])  # noqa: C419 - no early end
