"""The address of a backend, as Label Studio takes it."""

from typing import Any

import pytest

from annotune.errors import ConfigurationError
from annotune.settings import Settings
from curation.backend_address import BackendAddress


@pytest.mark.parametrize(
    "url",
    ["http://localhost:9090", "http://127.0.0.1:9090", "http://[::1]:9090", "https://ml.example.com", "http://a.b:1/x"],
)
def test_an_address_that_label_studio_takes_is_taken(url: str) -> None:
    assert BackendAddress.of(f"{url}/", Settings()).webhook == f"{url}/webhook"


@pytest.mark.parametrize("url", ["http://backend:9090", "backend:9090", "ftp://a.b", "http://", "http://a.b:port"])
def test_an_address_that_label_studio_refuses_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"dot|URL"):
        BackendAddress.of(url, Settings())


@pytest.mark.parametrize(
    ("changed", "headers"),
    [
        ({}, {}),
        ({"webhook_secret": "sesame"}, {"X-Annotune-Secret": "sesame"}),
        ({"basic_auth_user": "u", "basic_auth_pass": "p"}, {"Authorization": "Basic dTpw"}),
        ({"basic_auth_user": "u", "basic_auth_pass": "p", "webhook_secret": "sesame"}, {"X-Annotune-Secret": "sesame"}),
    ],
)
def test_a_webhook_carries_what_the_backend_accepts(changed: dict[str, Any], headers: dict[str, str]) -> None:
    address = BackendAddress.of("http://a.b", Settings(**changed))

    assert address.headers == headers
    assert not any(value in repr(address) for value in headers.values())
