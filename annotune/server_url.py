"""The base URL of a model server, from an address as people write it."""

from urllib.parse import urlsplit

from annotune.errors import ConfigurationError

OLLAMA_PORT = 11434


def server_url(value: str, *, setting: str = "OLLAMA_ENDPOINT") -> str:
    """The base URL from what people write: a bare host, `:port`, `0.0.0.0`, a trailing `/v1/`.

    A server binds to `0.0.0.0`, but no client connects to it: it becomes the loopback address. As in Ollama, the default
    port is Ollama's if there is no scheme, else the scheme's.

    Raises:
        ConfigurationError: `value` is no address. The message names `setting`; it leaves out the value, which may hold a
            password.
    """
    bare = "://" not in value
    address = f"[{value}]" if bare and value.count(":") > 1 and "[" not in value else value
    try:
        parts = urlsplit(f"http://{address}" if bare else address)
        host, port = parts.hostname or ("127.0.0.1" if parts.port else ""), parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in {"http", "https"} or any(letter.isspace() for letter in host):
        raise ConfigurationError(f"{setting} is no address of a server: set it to one like 'http://ollama:11434'")
    host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - read, not bound
    host = f"[{host}]" if ":" in host else host
    port = OLLAMA_PORT if bare and port is None else port
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}"
