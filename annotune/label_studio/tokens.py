"""Label Studio's two kinds of API key, and the `Authorization` header that each becomes (1.23).

For requests beside the SDK, which does the same for its own.
"""

import time
from collections.abc import Callable

import httpx

ACCESS_S = 240.0  # an access token lives 300 s

Post = Callable[[str, object], httpx.Response]


def is_personal(key: str) -> bool:
    """Whether a key is a personal access token, which is a JWT and has three parts. Else it is a legacy token."""
    return key.count(".") == 2  # noqa: PLR2004 - the dots of a JWT


class Authorization:
    """The header for one key. Shared by all threads of a process."""

    def __init__(self, url: str, key: str, post: Post) -> None:
        """`url` is Label Studio's, without a slash at its end; `post` sends JSON to an address."""
        self._url = url
        self._key = key
        self._post = post
        self._access: tuple[float, str] | None = None

    def header(self) -> str:
        """A legacy token as it is. A personal access token is exchanged for an access token, which is used for minutes.

        Raises:
            httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError: Label Studio gave no access token.
        """
        if not is_personal(self._key):
            return f"Token {self._key}"
        if self._access is None or time.monotonic() > self._access[0]:
            reply = self._post(f"{self._url}/api/token/refresh", {"refresh": self._key})
            self._access = (time.monotonic() + ACCESS_S, str(reply.raise_for_status().json()["access"]))
        return f"Bearer {self._access[1]}"
