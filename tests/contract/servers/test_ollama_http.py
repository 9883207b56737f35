"""Every error class of httpx and of the `ollama` client becomes one of ours."""

import json
from collections.abc import Iterator

import httpx
import ollama as vendor_client
import pytest
from vendor_errors import error_classes, exported_errors, made

from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, ModelServerError
from annotune.servers.ollama_http import OllamaHttp

LONG_S = 20.0
ERRORS = error_classes(httpx, vendor_client)


@pytest.fixture
def connection() -> Iterator[OllamaHttp]:
    opened = OllamaHttp("http://127.0.0.1:1", connections=1)
    yield opened
    opened.close()


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_no_exception_of_a_vendor_escapes_as_itself(connection: OllamaHttp, kind: type[Exception]) -> None:
    with pytest.raises(AnnotuneError), connection.mapped(Deadline.after(LONG_S)):
        raise made(kind)


@pytest.mark.parametrize("error", [ConnectionError("x"), json.JSONDecodeError("x", "", 0)])
def test_no_exception_of_the_client_in_pythons_own_words_escapes(connection: OllamaHttp, error: Exception) -> None:
    with pytest.raises(ModelServerError, match="OLLAMA_ENDPOINT"), connection.mapped(Deadline.after(LONG_S)):
        raise error


def test_every_error_class_that_the_vendors_export_is_among_them() -> None:
    exported = exported_errors(httpx, vendor_client)

    assert {httpx.ReadTimeout, httpx.StreamClosed, vendor_client.ResponseError} <= exported <= set(ERRORS)
