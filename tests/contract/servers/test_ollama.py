"""What we ask Ollama, and what becomes of each of its answers."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from vendor import Reply, Vendor, json_reply

from annotune.chat import ChatRequest, Image, Token
from annotune.deadline import Deadline
from annotune.errors import (
    AnswerRefused,
    DeadlineExceeded,
    ModelServerBusy,
    ModelServerError,
    ModelServerUnreachable,
    NotFound,
    PromptTooLong,
    RequestInvalid,
)
from annotune.servers.ollama import OllamaClient

Script = Callable[..., Vendor]
Adapter = Callable[[str], OllamaClient]
LONG_S, SHORT_S = 20.0, 0.3
REPLY = {
    "model": "llama3",
    "message": {"role": "assistant", "content": "So."},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 11,
    "eval_count": 3,
}
TOO_LONG = {
    "error": json.dumps(
        {"error": {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 3010, "n_ctx": 2048}}
    )
}
# name: (answer, error, words of the message)
ANSWERS: dict[str, tuple[Reply, type[Exception], str]] = {
    "drops every connection": (Reply(fault="drop"), ModelServerUnreachable, "OLLAMA_ENDPOINT"),
    "resets every connection": (Reply(fault="reset"), ModelServerUnreachable, "OLLAMA_ENDPOINT"),
    "half an answer": (Reply(body=b'{"do', fault="half"), ModelServerUnreachable, "OLLAMA_ENDPOINT"),
    "half JSON": (Reply(body=b'{"done": true, "mess'), ModelServerError, "OLLAMA_ENDPOINT"),
    "HTML": (Reply(body=b"<html>", headers=(("Content-Type", "text/html"),)), ModelServerError, "OLLAMA_ENDPOINT"),
    "no UTF-8": (Reply(body=b'"\xff\xfe"'), ModelServerError, "OLLAMA_ENDPOINT"),
    "empty": (Reply(body=b""), ModelServerError, "OLLAMA_ENDPOINT"),
    "deep JSON": (Reply(body=b"[" * 100_000), ModelServerError, "OLLAMA_ENDPOINT"),
    "false gzip": (Reply(headers=(("Content-Encoding", "gzip"),), body=b"no"), ModelServerError, "OLLAMA_ENDPOINT"),
    "a list": (json_reply([1]), AnswerRefused, "no result"),
    "an error with 200": (json_reply({"error": "went wrong"}), AnswerRefused, "went wrong"),
    "not done": (json_reply(REPLY | {"done": False}), AnswerRefused, "broke off"),
    "no message": (json_reply({"done": True}), AnswerRefused, "broke off"),
    "content of another type": (json_reply(REPLY | {"message": {"content": [1]}}), AnswerRefused, "broke off"),
    "counts of another type": (json_reply(REPLY | {"eval_count": None}), ModelServerError, "OLLAMA_ENDPOINT"),
    "logprobs of another type": (json_reply(REPLY | {"logprobs": [{}]}), ModelServerError, "OLLAMA_ENDPOINT"),
    "401": (json_reply({"error": "unauthorized"}, 401), ModelServerError, "401.*unauthorized.*OLLAMA_ENDPOINT"),
    "404 of the model": (json_reply({"error": "model 'llama3' not found"}, 404), NotFound, "ollama pull llama3"),
    "404 of a web server": (Reply(404, b"<html>404 Not Found"), ModelServerError, "OLLAMA_ENDPOINT"),
    "429": (json_reply({"error": "slow down"}, 429, Retry_After="7"), ModelServerBusy, "busy"),
    "500": (json_reply({"error": "llama runner has terminated"}, 500), ModelServerError, "500: llama runner"),
    "500 without JSON": (Reply(500, b"oh"), ModelServerError, "500: oh"),
    "502": (Reply(502, b"bad gateway"), ModelServerBusy, "busy"),
    "503": (json_reply({"error": "server busy"}, 503), ModelServerBusy, "busy"),
    "a redirect": (Reply(302, b"", (("Location", "http://127.0.0.1:1/"),)), ModelServerError, "302"),
    "too long": (json_reply(TOO_LONG, 400), PromptTooLong, "3010 tokens and llama3 takes 2048.*NUM_CTX"),
    "too long, oddly": (json_reply({"error": "exceed_context_size"}, 400), PromptTooLong, "too many.*NUM_CTX"),
    "too long, unquoted": (
        json_reply({"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}}, 400),
        PromptTooLong,
        "9 tokens",
    ),
}


@pytest.mark.parametrize(("reply", "error", "message"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_none_is_an_error_of_ours(
    vendor: Script, ollama: Adapter, request_: ChatRequest, reply: Reply, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        ollama(vendor(reply).url).chat(request_, Deadline.after(LONG_S))
    assert type(raised.value) is error


def test_a_version_of_ours_that_is_not_there_comes_back_by_a_rebuild_and_by_no_pull(
    vendor: Script, ollama: Adapter, request_: ChatRequest
) -> None:
    ours = replace(request_, model="annotune/main-p4:v0002-1c9f03aa")
    there = vendor(json_reply({"error": f"model '{ours.model}' not found"}, 404))

    with pytest.raises(NotFound, match=r"run 'annotune models rebuild', or choose another$"):
        ollama(there.url).chat(ours, Deadline.after(LONG_S))


def test_a_chat_is_asked_in_these_very_words(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    asked = vendor(json_reply(REPLY))
    ollama(asked.url).chat(request_, Deadline.after(LONG_S))
    (request,) = asked.asked

    assert (request.method, request.path) == ("POST", "/api/chat")
    assert request.body == {
        "model": "llama3",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "“Why?”"}],
        "stream": False,
        "think": False,
        "truncate": False,
        "shift": False,
        "keep_alive": "30m",
        "options": {"temperature": 0.7, "num_ctx": 2048, "num_predict": 64},
    }


def test_seed_schema_and_logprobs_are_asked_for_where_wanted(
    vendor: Script, ollama: Adapter, request_: ChatRequest
) -> None:
    asked = vendor(json_reply(REPLY))
    schema = {"type": "object"}
    ollama(asked.url).chat(replace(request_, seed=3, schema=schema, logprobs=True), Deadline.after(LONG_S))
    body = asked.asked[0].body

    assert (body["options"]["seed"], body["format"], body["logprobs"]) == (3, schema, True)


@pytest.mark.parametrize(("reason", "finish"), [("stop", "stop"), ("length", "length")])
def test_an_answer_comes_with_its_counts(
    vendor: Script, ollama: Adapter, request_: ChatRequest, reason: str, finish: str
) -> None:
    reply = REPLY | {"done_reason": reason, "logprobs": [{"token": "So", "logprob": -0.5}]}
    completion = ollama(vendor(json_reply(reply)).url).chat(request_, Deadline.after(LONG_S))

    assert (completion.text, completion.prompt_tokens, completion.tokens, completion.finish) == ("So.", 11, 3, finish)
    assert completion.logprobs == (Token("So", -0.5),)


def test_an_empty_answer_is_an_answer(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    reply = REPLY | {"message": {"role": "assistant", "content": ""}}

    assert ollama(vendor(json_reply(reply)).url).chat(request_, Deadline.after(LONG_S)).text == ""


@pytest.mark.parametrize("fault", ["hang", "dribble"])
def test_a_slow_answer_ends_at_the_deadline_after_one_request(
    vendor: Script, ollama: Adapter, request_: ChatRequest, fault: str
) -> None:
    slow = vendor(Reply(fault=fault))

    with pytest.raises(DeadlineExceeded, match="did not answer within"):
        ollama(slow.url).chat(request_, Deadline.after(SHORT_S))
    assert slow.paths == ["/api/chat"]


def test_a_server_that_is_not_there_is_told_by_its_setting(ollama: Adapter, request_: ChatRequest) -> None:
    with pytest.raises(ModelServerUnreachable, match=r"127.0.0.1:1 is not reachable: start it, or fix OLLAMA_ENDPOINT"):
        ollama("http://127.0.0.1:1").chat(request_, Deadline.after(LONG_S))


def test_a_connection_is_kept(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    asked = vendor(json_reply(REPLY))
    server = ollama(asked.url)
    for _ in range(3):
        server.chat(request_, Deadline.after(LONG_S))

    assert len({request.connection for request in asked.asked}) == 1


@pytest.mark.parametrize("fault", ["drop", "reset"])
def test_a_kept_connection_that_breaks_is_tried_once_more(
    vendor: Script, ollama: Adapter, request_: ChatRequest, fault: str
) -> None:
    asked = vendor(json_reply(REPLY), Reply(fault=fault), json_reply(REPLY))
    server = ollama(asked.url)
    server.chat(request_, Deadline.after(LONG_S))

    assert server.chat(request_, Deadline.after(LONG_S)).text == "So."
    assert len(asked.asked) == 3


def test_a_restarted_server_answers_the_next_request(ollama: Adapter, request_: ChatRequest) -> None:
    with Vendor([json_reply(REPLY)]) as first:
        server = ollama(first.url)
        server.chat(request_, Deadline.after(LONG_S))
    with Vendor([json_reply(REPLY)], port=first.port) as second:
        assert server.chat(request_, Deadline.after(LONG_S)).text == "So."
    assert len(second.asked) == 1


def test_an_answer_that_breaks_off_is_not_asked_for_again(
    vendor: Script, ollama: Adapter, request_: ChatRequest
) -> None:
    asked = vendor(Reply(body=b'{"do', fault="half"), json_reply(REPLY))

    with pytest.raises(ModelServerUnreachable):
        ollama(asked.url).chat(request_, Deadline.after(LONG_S))
    assert len(asked.asked) == 1


def test_half_a_surrogate_pair_is_the_requests_fault(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    asked = vendor(json_reply(REPLY))
    broken = replace(request_, messages=(replace(request_.messages[1], content="\ud800"),))

    with pytest.raises(RequestInvalid, match="surrogate"):
        ollama(asked.url).chat(broken, Deadline.after(LONG_S))
    assert asked.asked == []


def test_a_retry_after_is_kept(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    with pytest.raises(ModelServerBusy) as busy:
        ollama(vendor(Reply(503, headers=(("Retry-After", "7"),))).url).chat(request_, Deadline.after(LONG_S))
    assert busy.value.retry_after_s == 7


def test_check_asks_no_model(vendor: Script, ollama: Adapter) -> None:
    asked = vendor(json_reply({"version": "0.33.2"}))
    server = ollama(asked.url)
    server.check(Deadline.after(LONG_S))

    assert server.registry.version() == "0.33.2"
    assert asked.paths == ["/api/version", "/api/version"]


def test_the_rendered_text_is_shown(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    asked = vendor(json_reply({"_debug_info": {"rendered_template": "<user>Why?"}}))

    assert ollama(asked.url).render(request_, Deadline.after(LONG_S)) == "<user>Why?"
    assert asked.asked[0].body["_debug_render_only"] is True


def test_a_server_that_renders_nothing_is_too_old(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    with pytest.raises(AnswerRefused, match="older"):
        ollama(vendor(json_reply(REPLY)).url).render(request_, Deadline.after(LONG_S))


def test_the_candidates_of_each_token_are_asked_for_and_read(
    vendor: Script, ollama: Adapter, request_: ChatRequest
) -> None:
    likely = [{"token": "So", "logprob": -0.5}, {"token": "No", "logprob": -1.5}]
    asked = vendor(json_reply(REPLY | {"logprobs": [likely[0] | {"top_logprobs": likely}]}))
    completion = ollama(asked.url).chat(replace(request_, logprobs=True, top_logprobs=20), Deadline.after(LONG_S))

    assert asked.asked[0].body["top_logprobs"] == 20
    assert completion.logprobs == (Token("So", -0.5, (("So", -0.5), ("No", -1.5))),)


def test_a_picture_goes_with_the_last_message(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    asked = vendor(json_reply(REPLY))
    ollama(asked.url).chat(replace(request_, images=(Image(b"png", "image/png"),)), Deadline.after(LONG_S))

    system, user = asked.asked[0].body["messages"]
    assert (user["images"], "images" in system) == (["cG5n"], False)


def test_a_model_without_vision_is_told_so(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    recorded = {"code": 400, "message": "Multimodal data provided, but model does not support multimodal requests."}
    refused = vendor(json_reply({"error": json.dumps({"error": recorded})}, 400))

    with pytest.raises(RequestInvalid, match="llama3 cannot see pictures: choose a model with vision"):
        ollama(refused.url).chat(request_, Deadline.after(LONG_S))


def test_thoughts_are_no_answer_and_have_no_score(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    logprobs = [{"token": "hm", "logprob": -0.5}, {"token": "So.", "logprob": -0.1}]
    kept_apart = REPLY | {"message": {"content": "So.", "thinking": "hm"}, "logprobs": logprobs}
    left_in = REPLY | {"message": {"content": "<think>hm</think>\n\nSo."}, "logprobs": logprobs}
    server = ollama(vendor(json_reply(kept_apart), json_reply(left_in)).url)
    completions = [server.chat(replace(request_, think=True), Deadline.after(LONG_S)) for _ in range(2)]

    assert [(one.text, one.logprobs) for one in completions] == [("So.", None)] * 2


@pytest.mark.parametrize("message", [{"content": "", "thinking": "hm"}, {"content": "<think>hm"}])
def test_an_answer_cut_within_its_thoughts_is_refused(
    vendor: Script, ollama: Adapter, request_: ChatRequest, message: dict[str, str]
) -> None:
    asked = vendor(json_reply(REPLY | {"message": message, "done_reason": "length"}))

    with pytest.raises(AnswerRefused, match="MAX_TOKENS"):
        ollama(asked.url).chat(replace(request_, think=True), Deadline.after(LONG_S))


def test_a_model_that_does_not_think_names_the_setting_to_fix(
    vendor: Script, ollama: Adapter, request_: ChatRequest
) -> None:
    refused = vendor(json_reply({"error": '"llama3" does not support thinking'}, 400))

    with pytest.raises(RequestInvalid, match="THINKING"):
        ollama(refused.url).chat(replace(request_, think=True), Deadline.after(LONG_S))


def test_thoughts_whose_beginning_the_template_wrote_are_no_answer(
    vendor: Script, ollama: Adapter, request_: ChatRequest
) -> None:
    asked = vendor(json_reply(REPLY | {"message": {"content": "hm, so\n</think>\nSo."}}))

    assert ollama(asked.url).chat(replace(request_, think=True), Deadline.after(LONG_S)).text == "So."


def test_thoughts_without_an_answer_are_refused(vendor: Script, ollama: Adapter, request_: ChatRequest) -> None:
    asked = vendor(json_reply(REPLY | {"message": {"content": "<think>hm"}}))

    with pytest.raises(AnswerRefused, match="gave no answer"):
        ollama(asked.url).chat(request_, Deadline.after(LONG_S))
