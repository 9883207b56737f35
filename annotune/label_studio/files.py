"""Files that Label Studio serves itself: which addresses they have, and the header that opens them.

Nothing here loads the SDK: its client costs a process 58 MB, and the backend needs none of it.
"""

from urllib.parse import SplitResult, urlsplit

from annotune.errors import RequestInvalid
from annotune.label_studio.tokens import Authorization, Post

PATHS = ("/data/", "/storage-data/")  # of uploaded files, and of files in a storage (1.23)
PORTS = {"http": 80, "https": 443}


class LabelStudioFiles:
    """The files of one Label Studio. Shared by all threads of a process."""

    def __init__(self, url: str, key: str | None, post: Post) -> None:
        """`key` is a legacy token or a personal access token; `post` sends JSON to an address."""
        self._url = urlsplit(url.rstrip("/"))
        self._authorization = Authorization(self._url.geturl(), key, post) if key else None

    def url_of(self, path: str) -> str:
        """The URL of a path that a task holds, with or without a slash at its start."""
        return f"{self._url.geturl()}/{path.lstrip('/')}"

    def is_at(self, address: SplitResult) -> bool:
        """Whether an address is of this Label Studio: the same scheme, host and port."""
        return _origin(address) == _origin(self._url)

    def headers_for(self, address: SplitResult) -> dict[str, str]:
        """The headers of a request for a file, the token among them.

        Raises:
            RequestInvalid: the address is no file: it gets no token.
            httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError: Label Studio gave no access token.
        """
        path = address.path.removeprefix(self._url.path)
        if not path.startswith(PATHS) or ".." in path or "%2e" in path.lower():
            raise RequestInvalid(f"Label Studio's pictures are below {' and '.join(PATHS)}: this one is not fetched")
        return {"Authorization": self._authorization.header()} if self._authorization else {}


def _origin(address: SplitResult) -> tuple[str, str | None, int | None]:
    return address.scheme, address.hostname, address.port or PORTS.get(address.scheme)
