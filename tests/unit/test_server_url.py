"""A base URL from an address as people write it."""

import pytest

from annotune.server_url import server_url

ADDRESSES = [
    ("ollama", "http://ollama:11434"),
    ("ollama:8080", "http://ollama:8080"),
    (":8080", "http://127.0.0.1:8080"),
    ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104 - read, not bound
    ("0.0.0.0:8080", "http://127.0.0.1:8080"),
    ("http://0.0.0.0:11434/v1/", "http://127.0.0.1:11434"),
    ("http://host.docker.internal:11434/v1/", "http://host.docker.internal:11434"),
    ("http://host.docker.internal:11434/v1", "http://host.docker.internal:11434"),
    ("http://host.docker.internal:11434/", "http://host.docker.internal:11434"),
    ("http://proxy.example/v1/", "http://proxy.example"),
    ("https://ollama.example/v1/", "https://ollama.example"),
    ("https://ollama.example:8443/team/v1/", "https://ollama.example:8443/team"),
    ("::1", "http://[::1]:11434"),
    ("[::1]:8080", "http://[::1]:8080"),
    ("http://[fd00::7]:11434/v1/", "http://[fd00::7]:11434"),
    ("[::]:11434", "http://127.0.0.1:11434"),
]


@pytest.mark.parametrize(("written", "url"), ADDRESSES)
def test_an_address_as_people_write_it_is_understood(written: str, url: str) -> None:
    assert server_url(written) == url
