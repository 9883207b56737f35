"""What we ask an OpenAI-compatible API, and what becomes of each of its answers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import openai as vendor_client
import pytest
from vendor import Reply, Vendor, json_reply
from vendor_errors import error_classes, exported_errors, made

from annotune.chat import ChatRequest, Image, Token
from annotune.deadline import Deadline
from annotune.errors import (
    AnnotuneError,
    AnswerRefused,
    ConfigurationError,
    DeadlineExceeded,
    KeyRefused,
    ModelServerBusy,
    ModelServerError,
    ModelServerUnreachable,
    NotFound,
    PromptTooLong,
    RequestInvalid,
)
from annotune.network import Network
from annotune.servers.openai import OpenAIClient
from annotune.settings import load_settings

Script = Callable[..., Vendor]
Adapter = Callable[..., OpenAIClient]
LONG_S, SHORT_S = 20.0, 0.3
CHOICE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "So."}}
REPLY = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "llama3",
    "choices": [CHOICE],
    "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
}
HTML = (("Content-Type", "text/html"),)


def refused(message: str, code: str = "") -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code}}


# name: (answer, error, words of the message)
ANSWERS: dict[str, tuple[Reply, type[Exception], str]] = {
    "drops every connection": (Reply(fault="drop"), ModelServerUnreachable, "OPENAI_BASE_URL"),
    "resets every connection": (Reply(fault="reset"), ModelServerUnreachable, "OPENAI_BASE_URL"),
    "half an answer": (Reply(body=b'{"do', fault="half"), ModelServerUnreachable, "OPENAI_BASE_URL"),
    "half JSON": (Reply(body=b'{"choices": [{"mess'), ModelServerError, "OPENAI_BASE_URL"),
    "HTML": (Reply(body=b"<html>", headers=HTML), ModelServerError, "OPENAI_BASE_URL"),
    "no UTF-8": (Reply(body=b'"\xff\xfe"'), ModelServerError, "OPENAI_BASE_URL"),
    "empty": (Reply(body=b""), ModelServerError, "OPENAI_BASE_URL"),
    "deep JSON": (Reply(body=b"[" * 100_000), ModelServerError, "OPENAI_BASE_URL"),
    "a list": (json_reply([1]), ModelServerError, "OPENAI_BASE_URL"),
    "no choices": (json_reply(REPLY | {"choices": []}), ModelServerError, "OPENAI_BASE_URL"),
    "choices of another type": (json_reply(REPLY | {"choices": "x"}), ModelServerError, "OPENAI_BASE_URL"),
    "no message": (json_reply(REPLY | {"choices": [{}]}), ModelServerError, "OPENAI_BASE_URL"),
    "usage of another type": (json_reply(REPLY | {"usage": 3}), ModelServerError, "OPENAI_BASE_URL"),
    "no text": (
        json_reply(REPLY | {"choices": [CHOICE | {"message": {"role": "assistant", "content": None}}]}),
        AnswerRefused,
        "without a text",
    ),
    "400": (json_reply(refused("bad temperature"), 400), ModelServerError, "400: bad temperature"),
    "401": (json_reply(refused("Incorrect API key"), 401), KeyRefused, "refused the key: fix OPENAI_API_KEY"),
    "403": (json_reply(refused("no"), 403), KeyRefused, "refused the key: fix OPENAI_API_KEY"),
    "404": (json_reply(refused("no such model"), 404), NotFound, "no model 'llama3'.*OPENAI_BASE_URL"),
    "429": (json_reply(refused("slow down"), 429, Retry_After="7"), ModelServerBusy, "busy or the quota"),
    "500": (json_reply(refused("oh"), 500), ModelServerError, "500: oh"),
    "502": (Reply(502, b"bad gateway", HTML), ModelServerBusy, "busy"),
    "503": (Reply(503, b"<html>", HTML), ModelServerBusy, "busy"),
    "529": (json_reply(refused("overloaded"), 529), ModelServerBusy, "busy"),
    "too long": (
        json_reply(refused("This model's maximum context length is 8 tokens", "context_length_exceeded"), 400),
        PromptTooLong,
        "does not fit llama3",
    ),
}


@pytest.mark.parametrize("kind", error_classes(vendor_client, httpx2), ids=lambda kind: kind.__name__)
def test_no_exception_of_the_vendor_escapes_as_itself(openai: Adapter, kind: type[Exception]) -> None:
    server = openai("http://127.0.0.1:1")

    with pytest.raises(AnnotuneError), server._mapped("llama3", Deadline.after(LONG_S)):
        raise made(kind)


def test_every_error_class_that_the_vendor_exports_is_among_them() -> None:
    exported = exported_errors(vendor_client, httpx2)

    assert {vendor_client.RateLimitError, httpx2.ReadTimeout} <= exported
    assert exported <= {*error_classes(vendor_client, httpx2)}


def transport_exceptions() -> list[type[Exception]]:
    kinds = [kind for kind in list(vars(httpx2).values()) if isinstance(kind, type) and issubclass(kind, Exception)]
    with_arguments = {httpx2.HTTPStatusError, httpx2.SSEError}
    return [kind for kind in kinds if kind not in with_arguments and not issubclass(kind, httpx2.StreamError)]


@pytest.mark.parametrize("kind", transport_exceptions(), ids=lambda kind: kind.__name__)
def test_no_exception_of_its_transport_escapes_as_itself(request_: ChatRequest, kind: type[Exception]) -> None:
    def fail(_: httpx2.Request) -> httpx2.Response:
        raise kind("x")

    with httpx2.Client(transport=httpx2.MockTransport(fail)) as http:
        client = vendor_client.OpenAI(api_key="k", base_url="http://openai/v1", max_retries=0, http_client=http)
        server = OpenAIClient(client, Network(), name="openai", url_setting="OPENAI_BASE_URL", max_tokens="max_tokens")
        with pytest.raises(AnnotuneError):
            server.chat(request_, Deadline.after(LONG_S))


@pytest.mark.parametrize(("reply", "error", "message"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_none_is_an_error_of_ours(
    vendor: Script,
    openai: Adapter,
    request_: ChatRequest,
    key: str,
    reply: Reply,
    error: type[Exception],
    message: str,
) -> None:
    asked = vendor(reply)

    with pytest.raises(error, match=message) as raised:
        openai(asked.url).chat(request_, Deadline.after(LONG_S))
    assert type(raised.value) is error
    assert key not in str(raised.value)
    assert len(asked.asked) == 1


def test_a_chat_is_asked_in_these_very_words(vendor: Script, openai: Adapter, request_: ChatRequest, key: str) -> None:
    asked = vendor(json_reply(REPLY))
    openai(asked.url).chat(request_, Deadline.after(LONG_S))
    (request,) = asked.asked

    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {key}"
    assert request.body == {
        "model": "llama3",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "“Why?”"}],
        "temperature": 0.7,
        "max_tokens": 64,
    }


def test_seed_schema_and_logprobs_are_asked_for_where_wanted(
    vendor: Script, openai: Adapter, request_: ChatRequest
) -> None:
    asked = vendor(json_reply(REPLY))
    schema: dict[str, Any] = {"type": "object"}
    openai(asked.url).chat(replace(request_, seed=3, schema=schema, logprobs=True), Deadline.after(LONG_S))
    body = asked.asked[0].body

    assert (body["seed"], body["logprobs"]) == (3, True)
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }


def test_openai_itself_is_asked_by_the_newer_name_of_max_tokens() -> None:
    server = OpenAIClient.from_settings(load_settings(openai_api_key="k"))
    server.close()

    assert (server.url, server._max_tokens) == ("https://api.openai.com/v1", "max_completion_tokens")


@pytest.mark.parametrize(
    ("api_version", "name"),
    [
        ("2023-05-15", "max_tokens"),
        ("2024-10-21", "max_completion_tokens"),
        ("2025-01-01-preview", "max_completion_tokens"),
    ],
)
def test_azure_is_asked_at_its_deployment_by_the_name_that_its_version_knows(
    vendor: Script, openai: Adapter, request_: ChatRequest, key: str, api_version: str, name: str
) -> None:
    asked = vendor(json_reply(REPLY))
    server = openai(f"{asked.url}/", azure=True, azure_api_version=api_version)
    server.chat(replace(request_, model="medical-4o"), Deadline.after(LONG_S))
    (request,) = asked.asked

    assert request.path == f"/openai/deployments/medical-4o/chat/completions?api-version={api_version}"
    assert request.headers["api-key"] == key
    assert request.body[name] == 64


def test_a_project_with_another_azure_deployment_is_answered_by_it(
    vendor: Script, openai: Adapter, request_: ChatRequest
) -> None:
    asked = vendor(json_reply(REPLY))
    server = openai(asked.url, azure=True, azure_deployment_name="the-default")
    server.chat(replace(request_, model="another"), Deadline.after(LONG_S))

    assert asked.paths[0].startswith("/openai/deployments/another/")


def test_the_check_of_azure_asks_the_resource(vendor: Script, openai: Adapter) -> None:
    asked = vendor(json_reply({"object": "list", "data": []}))
    openai(asked.url, azure=True, azure_deployment_name="the-default").check(Deadline.after(LONG_S))

    assert asked.paths == ["/openai/models?api-version=2023-05-15"]


def test_azures_faults_name_azures_setting(vendor: Script, openai: Adapter, request_: ChatRequest) -> None:
    with pytest.raises(ModelServerError, match="AZURE_RESOURCE_ENDPOINT"):
        openai(vendor(Reply(fault="drop")).url, azure=True).chat(request_, Deadline.after(LONG_S))


@pytest.mark.parametrize(("reason", "finish"), [("stop", "stop"), ("length", "length"), (None, "stop")])
def test_an_answer_comes_with_its_counts(
    vendor: Script, openai: Adapter, request_: ChatRequest, reason: str | None, finish: str
) -> None:
    given = {"content": [{"token": "So", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}
    reply = REPLY | {"choices": [CHOICE | {"finish_reason": reason, "logprobs": given}]}
    completion = openai(vendor(json_reply(reply)).url).chat(request_, Deadline.after(LONG_S))

    assert (completion.text, completion.prompt_tokens, completion.tokens, completion.finish) == ("So.", 11, 3, finish)
    assert completion.logprobs == (Token("So", -0.5),)


def test_an_answer_without_usage_is_an_answer(vendor: Script, openai: Adapter, request_: ChatRequest) -> None:
    reply = {name: value for name, value in REPLY.items() if name != "usage"}
    completion = openai(vendor(json_reply(reply)).url).chat(request_, Deadline.after(LONG_S))

    assert (completion.text, completion.tokens) == ("So.", 0)


def test_a_hanging_server_ends_at_the_deadline_after_one_request(
    vendor: Script, openai: Adapter, request_: ChatRequest
) -> None:
    asked = vendor(Reply(fault="hang"))

    with pytest.raises(DeadlineExceeded, match="did not answer within"):
        openai(asked.url).chat(request_, Deadline.after(SHORT_S))
    assert len(asked.asked) == 1


@pytest.mark.parametrize("after", ["", "soon", "-1", "nan", "inf", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_that_is_no_length_of_time_is_ignored(
    vendor: Script, openai: Adapter, request_: ChatRequest, after: str
) -> None:
    with pytest.raises(ModelServerBusy) as busy:
        openai(vendor(Reply(429, headers=(("Retry-After", after),))).url).chat(request_, Deadline.after(LONG_S))
    assert busy.value.retry_after_s is None


def test_a_connection_is_kept(vendor: Script, openai: Adapter, request_: ChatRequest) -> None:
    asked = vendor(json_reply(REPLY))
    server = openai(asked.url)
    for _ in range(3):
        server.chat(request_, Deadline.after(LONG_S))

    assert len({request.connection for request in asked.asked}) == 1


def test_a_restarted_server_answers_the_next_request(openai: Adapter, request_: ChatRequest) -> None:
    with Vendor([json_reply(REPLY)]) as first:
        server = openai(first.url)
        server.chat(request_, Deadline.after(LONG_S))
    with Vendor([json_reply(REPLY)], port=first.port) as second:
        assert server.chat(request_, Deadline.after(LONG_S)).text == "So."
    assert len(second.asked) == 1


def test_half_a_surrogate_pair_is_the_requests_fault(vendor: Script, openai: Adapter, request_: ChatRequest) -> None:
    broken = replace(request_, messages=(replace(request_.messages[1], content="\ud800"),))

    with pytest.raises(RequestInvalid, match="surrogate"):
        openai(vendor(json_reply(REPLY)).url).chat(broken, Deadline.after(LONG_S))


def test_check_tells_a_wrong_key_and_asks_no_model(vendor: Script, openai: Adapter, key: str) -> None:
    asked = vendor(json_reply(refused(f"Incorrect API key provided: {key}"), 401))

    with pytest.raises(ModelServerError, match="OPENAI_API_KEY") as raised:
        openai(asked.url).check(Deadline.after(LONG_S))
    assert key not in str(raised.value)
    assert asked.paths == ["/v1/models"]


def test_a_web_server_that_is_no_model_server_is_told_by_check(vendor: Script, openai: Adapter) -> None:
    with pytest.raises(ModelServerError, match="OPENAI_BASE_URL"):
        openai(vendor(Reply(404, b"<html>", HTML)).url).check(Deadline.after(LONG_S))


def test_a_password_in_the_address_is_not_told(vendor: Script, openai: Adapter, request_: ChatRequest) -> None:
    asked = vendor(Reply(fault="drop"))

    with pytest.raises(ModelServerUnreachable) as raised:
        openai(asked.url.replace("//", "//user:pass-3141592653@")).chat(request_, Deadline.after(LONG_S))
    assert "3141592653" not in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "OPENAI_API_KEY"),
        ({"openai_api_key": "k", "openai_base_url": "http://[zz]/v1"}, "OPENAI_BASE_URL"),
        ({"openai_api_key": "k", "openai_base_url": "http://host:port/v1"}, "OPENAI_BASE_URL"),
    ],
)
def test_a_missing_or_wrong_setting_of_openai_is_named(settings: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        OpenAIClient.from_settings(load_settings(**settings))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"openai_api_key": "k"},
        {"azure_resource_endpoint": "https://r.example"},
        {"openai_api_key": "k", "azure_resource_endpoint": "https://host:port"},
    ],
)
def test_a_missing_or_wrong_setting_of_azure_is_named(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="AZURE_RESOURCE_ENDPOINT"):
        OpenAIClient.azure(load_settings(**settings))


def test_a_server_without_keys_is_asked_without_one_of_ours(vendor: Script, request_: ChatRequest) -> None:
    asked = vendor(json_reply(REPLY))
    server = OpenAIClient.from_settings(load_settings(openai_base_url=f"{asked.url}/v1/"))
    server.chat(request_, Deadline.after(LONG_S))
    server.close()

    assert asked.paths == ["/v1/chat/completions"]
    assert asked.asked[0].headers["authorization"] == "Bearer none"


def test_a_picture_goes_with_the_last_message(vendor: Script, openai: Adapter, request_: ChatRequest) -> None:
    asked = vendor(json_reply(REPLY))
    openai(asked.url).chat(replace(request_, images=(Image(b"png", "image/png"),)), Deadline.after(LONG_S))

    assert asked.asked[0].body["messages"][-1]["content"] == [
        {"type": "text", "text": "“Why?”"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}},
    ]


def test_a_model_without_vision_is_told_so(vendor: Script, openai: Adapter, request_: ChatRequest) -> None:
    refused = vendor(json_reply({"error": {"message": "This model does not support image input."}}, 400))

    with pytest.raises(RequestInvalid, match=r"llama3 cannot see this picture.*vision"):
        openai(refused.url).chat(request_, Deadline.after(LONG_S))


def test_what_a_server_refuses_and_an_answer_can_do_without_is_left_out_from_then_on(
    vendor: Script, openai: Adapter, request_: ChatRequest
) -> None:
    no_logprobs = json_reply({"error": {"message": "'logprobs' is not supported", "param": "logprobs"}}, 400)
    no_format = json_reply({"error": {"message": "unknown field response_format"}}, 400)
    asked = vendor(no_logprobs, no_format, json_reply(REPLY))
    server = openai(asked.url)
    wanted = replace(request_, logprobs=True, top_logprobs=20, schema={"type": "object"})
    for _ in range(2):
        assert server.chat(wanted, Deadline.after(LONG_S)).text == "So."

    left = [set(request.body) & {"logprobs", "top_logprobs", "response_format"} for request in asked.asked]
    assert left == [{"logprobs", "top_logprobs", "response_format"}, {"response_format"}, set(), set()]


def test_thoughts_left_in_the_text_are_no_answer(vendor: Script, openai: Adapter, request_: ChatRequest) -> None:
    message = {"role": "assistant", "content": "<think>hm</think>So."}
    asked = vendor(json_reply(REPLY | {"choices": [CHOICE | {"message": message}]}))

    assert openai(asked.url).chat(request_, Deadline.after(LONG_S)).text == "So."


def test_a_server_that_dribbles_is_left_at_the_deadline(vendor: Script, openai: Adapter, request_: ChatRequest) -> None:
    with pytest.raises(DeadlineExceeded):
        openai(vendor(Reply(fault="dribble")).url).chat(request_, Deadline.after(0.3))


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
        "the request exceeds the available context size (n_prompt_tokens 9001, n_ctx 8192)",
    ],
)
def test_a_prompt_that_does_not_fit_is_refused_with_the_numbers(
    vendor: Script, openai: Adapter, request_: ChatRequest, message: str
) -> None:
    refused = vendor(json_reply({"error": {"message": message, "code": "context_length_exceeded"}}, 400))

    with pytest.raises(PromptTooLong, match=r"9001.*8192|8192.*9001"):
        openai(refused.url).chat(request_, Deadline.after(LONG_S))
