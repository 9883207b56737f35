"""Vendors that answer by script, and the adapters that ask them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from vendor import Vendor

from annotune.chat import ChatRequest, Message
from annotune.servers.ollama import OllamaClient
from annotune.servers.openai import OpenAIClient
from annotune.settings import Settings, load_settings

KEY = "sk-made-up-3141592653"


@pytest.fixture
def vendor() -> Iterator[Callable[..., Vendor]]:
    """`vendor(*replies)`: a vendor that gives these answers, one after another."""
    with ExitStack() as stack:
        yield lambda *replies: stack.enter_context(Vendor(replies))


@pytest.fixture
def ollama() -> Iterator[Callable[[str], OllamaClient]]:
    """`ollama(url)`: an adapter, closed at the end."""
    with ExitStack() as stack:

        def make(url: str) -> OllamaClient:
            server = OllamaClient(url)
            stack.callback(server.close)
            return server

        yield make


@pytest.fixture
def openai() -> Iterator[Callable[..., OpenAIClient]]:
    """`openai(url)`: an adapter with a key, closed at the end; `azure=True` for Azure's."""
    with ExitStack() as stack:

        def make(url: str, *, azure: bool = False, **more: str) -> OpenAIClient:
            address = {"azure_resource_endpoint": url} if azure else {"openai_base_url": f"{url}/v1"}
            settings: Settings = load_settings(openai_api_key=KEY, **address, **more)
            server = OpenAIClient.azure(settings) if azure else OpenAIClient.from_settings(settings)
            stack.callback(server.close)
            return server

        yield make


@pytest.fixture
def request_() -> ChatRequest:
    return ChatRequest(
        model="llama3",
        messages=(Message("system", "Be brief."), Message("user", "“Why?”")),
        temperature=0.7,
        num_ctx=2048,
        max_tokens=64,
    )


@pytest.fixture
def key() -> str:
    return KEY
