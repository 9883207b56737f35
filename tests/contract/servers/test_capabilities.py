"""An adapter can do what it states."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from vendor import Vendor, json_reply

from annotune.chat import ChatRequest, Token
from annotune.deadline import Deadline
from annotune.servers.ollama import OllamaClient
from annotune.servers.openai import OpenAIClient

LONG_S = 20.0
TOKEN = {"token": "So.", "logprob": -0.5, "top_logprobs": []}
CHOICE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "So."}}
REPLIES = {
    "ollama": {"message": {"content": "So."}, "done": True, "prompt_eval_count": 11, "logprobs": [TOKEN]},
    "openai": {
        "choices": [CHOICE | {"logprobs": {"content": [TOKEN]}}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 1, "total_tokens": 12},
    },
}


@pytest.mark.parametrize("name", REPLIES)
def test_an_answer_has_a_schema_log_probabilities_and_a_count_of_its_prompt(
    vendor: Callable[..., Vendor], request: pytest.FixtureRequest, request_: ChatRequest, name: str
) -> None:
    asked = vendor(json_reply(REPLIES[name]))
    server = request.getfixturevalue(name)(asked.url)
    wanted = replace(request_, schema={"type": "object"}, logprobs=True, top_logprobs=20)
    completion = server.chat(wanted, Deadline.after(LONG_S))
    body = asked.asked[0].body

    assert server.capabilities.logprobs == (completion.logprobs == (Token("So.", -0.5),))
    assert server.capabilities.counts_tokens == (completion.prompt_tokens == 11)
    assert server.capabilities.schema == bool(body.keys() & {"format", "response_format"})


@pytest.mark.parametrize("adapter", [OllamaClient, OpenAIClient])
def test_only_a_server_that_renders_or_has_a_registry_is_asked_for_them(
    adapter: type[OllamaClient | OpenAIClient], ollama: Callable[[str], OllamaClient]
) -> None:
    server = ollama("http://127.0.0.1:1") if adapter is OllamaClient else adapter

    assert adapter.capabilities.renders == hasattr(server, "render")
    assert adapter.capabilities.registry == hasattr(server, "registry")
