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
    """Bytes as they come over the wire; None where not configured."""

    basic: bytes | None
    secret: bytes | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises ConfigurationError where only one half of the basic auth is set."""
        user, password, secret = settings.basic_auth_user, settings.basic_auth_pass, settings.webhook_secret
        if (user is None) != (password is None):
            missing = "BASIC_AUTH_USER" if user is None else "BASIC_AUTH_PASS"
            raise ConfigurationError(f"{missing} is not set: set both BASIC_AUTH_USER and BASIC_AUTH_PASS, or neither")
        return cls(
            basic=f"{user}:{password.get_secret_value()}".encode() if password else None,
            secret=secret.get_secret_value().encode() if secret else None,
        )

    @property
    def webhook_is_open(self) -> bool:
        return self.basic is None and self.secret is None

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
        if self.basic is not None and not self._has_basic(headers):
            raise Unauthorized(
                "basic auth is missing or wrong: give Label Studio the values of BASIC_AUTH_USER and BASIC_AUTH_PASS"
            )

    def _has_secret(self, headers: Headers) -> bool:
        given = headers.get(SECRET_HEADER, "").encode("latin-1", "replace")
        return self.secret is not None and hmac.compare_digest(given, self.secret)

    def _has_basic(self, headers: Headers) -> bool:
        scheme, _, value = headers.get("Authorization", "").partition(" ")
        if self.basic is None or scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(value.strip().encode("ascii"), validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return False
        return hmac.compare_digest(given, self.basic)
