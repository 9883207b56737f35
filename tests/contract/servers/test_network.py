"""A call ends at its deadline and at its cap, whatever the server sends; every client of ours is tried."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import httpx
import pytest
from vendor import PATIENCE_S, Reply, Vendor, json_reply

from annotune.chat import ChatRequest, Image
from annotune.checks import check_label_studio
from annotune.deadline import Deadline
from annotune.errors import (
    AnswerRefused,
    DeadlineExceeded,
    LabelStudioError,
    ModelServerError,
    ModelServerUnreachable,
    RequestInvalid,
)
from annotune.images import ImageFetcher
from annotune.label_studio.client import LabelStudioClient
from annotune.network import SMALL_BYTES, AnswerTooLarge, Network, Resolver, get
from annotune.servers.base import TOKEN_BYTES, most_bytes
from annotune.servers.concurrency import LimitedServer
from annotune.servers.ollama import OllamaClient
from annotune.servers.openai import OpenAIClient
from annotune.settings import Settings
from curation.backend_address import BackendAddress
from curation.checkup import _failed_at_backend

Script = Callable[..., Vendor]
SHORT_S, LONG_S = 0.5, 20.0
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 50
PERSONAL = "eyJh.eyJi.c2ln"
REPLY = {
    "message": {"role": "assistant", "content": "So."},
    "done": True,
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "So."}}],
}
# What one or another takes for a right answer.
REPLIES: dict[str, Any] = REPLY | {
    "_debug_info": {"rendered_template": "So."},
    "version": "0.33.2",
    "models": [],
    "object": "list",
    "data": [],
    "status": "success",
    "access": "short-lived",
    "id": 4,
    "title": "Four",
    "label_config": "<View/>",
    "label_studio": {"ok": False, "detail": "sent at last"},
}
SLOW = ("headers", "processing", "dribble", "byte")


def settings(url: str, **more: Any) -> Settings:
    return Settings(label_studio_url=url, label_studio_api_key=PERSONAL, image_timeout_s=2 * SHORT_S, **more)


@pytest.fixture
def request_(request_: ChatRequest) -> ChatRequest:
    return replace(request_, logprobs=True, top_logprobs=20)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own constants. All other calls are given a deadline."""
    for name in ("annotune.servers.ollama_registry.REGISTRY_S", "annotune.servers.ollama_registry.CREATE_S"):
        monkeypatch.setattr(name, SHORT_S)
    monkeypatch.setattr("curation.checkup.CHECK_S", SHORT_S)


def with_ollama(call: Callable[[OllamaClient, ChatRequest], object]) -> Callable[[str, ChatRequest], object]:
    def asked(url: str, request: ChatRequest) -> object:
        with closing(OllamaClient(url)) as server:
            return call(server, request)

    return asked


def with_openai(
    call: Callable[[OpenAIClient, ChatRequest], object], *, azure: bool = False
) -> Callable[[str, ChatRequest], object]:
    def asked(url: str, request: ChatRequest) -> object:
        address = {"azure_resource_endpoint": url} if azure else {"openai_base_url": f"{url}/v1"}
        given = Settings(openai_api_key="made-up", **address)
        with closing(OpenAIClient.azure(given) if azure else OpenAIClient.from_settings(given)) as server:
            return call(server, request)

    return asked


def fetch(url: str, _: ChatRequest) -> object:
    return ImageFetcher(Settings(image_hosts="127.0.0.0/8", image_timeout_s=2 * SHORT_S)).fetch(
        f"{url}/x.png", Deadline.never()
    )


def refresh(url: str, _: ChatRequest) -> object:
    """The first that is asked for is the token."""
    return ImageFetcher(settings(url)).fetch("/data/upload/1/a.png", Deadline.never())


def fetch_within_the_request(url: str, _: ChatRequest) -> object:
    return ImageFetcher(Settings(image_hosts="127.0.0.0/8", image_timeout_s=60)).fetch(
        f"{url}/x.png", Deadline.after(2 * SHORT_S)
    )


def project(url: str, _: ChatRequest) -> object:
    with closing(LabelStudioClient(url, "legacy", call_s=SHORT_S, retries=0)) as studio:
        return studio.projects.get(4)


def health(url: str, _: ChatRequest) -> object:
    """The check reports its error as a part that does not work."""
    check = check_label_studio(settings(url), Deadline.after(SHORT_S))
    if check.ok is False:
        raise LabelStudioError(check.detail)
    return check


# client's call: (the error at its deadline, the call)
CALLS: dict[str, tuple[type[Exception], Callable[[str, ChatRequest], object]]] = {
    "ollama chat": (DeadlineExceeded, with_ollama(lambda it, asked: it.chat(asked, Deadline.after(SHORT_S)))),
    "ollama render": (DeadlineExceeded, with_ollama(lambda it, asked: it.render(asked, Deadline.after(SHORT_S)))),
    "ollama check": (DeadlineExceeded, with_ollama(lambda it, _: LimitedServer(it, 1).check(Deadline.after(SHORT_S)))),
    "ollama version": (DeadlineExceeded, with_ollama(lambda it, _: it.registry.version())),
    "ollama list": (DeadlineExceeded, with_ollama(lambda it, _: it.registry.models())),
    "ollama show": (DeadlineExceeded, with_ollama(lambda it, _: it.registry.show("x"))),
    "ollama create": (DeadlineExceeded, with_ollama(lambda it, _: it.registry.create("x", "ab", parameters={}))),
    "ollama delete": (DeadlineExceeded, with_ollama(lambda it, _: it.registry.delete("x"))),
    "openai chat": (DeadlineExceeded, with_openai(lambda it, asked: it.chat(asked, Deadline.after(SHORT_S)))),
    "openai check": (DeadlineExceeded, with_openai(lambda it, _: LimitedServer(it, 1).check(Deadline.after(SHORT_S)))),
    "azure chat": (
        DeadlineExceeded,
        with_openai(lambda it, asked: it.chat(asked, Deadline.after(SHORT_S)), azure=True),
    ),
    "azure check": (DeadlineExceeded, with_openai(lambda it, _: it.check(Deadline.after(SHORT_S)), azure=True)),
    "picture": (RequestInvalid, fetch),
    "picture within the request": (RequestInvalid, fetch_within_the_request),
    "token for pictures": (RequestInvalid, refresh),
    "label studio": (LabelStudioError, project),
    "health of label studio": (LabelStudioError, health),
    "health of a backend": (httpx.TimeoutException, lambda url, _: get(f"{url}/health", Deadline.after(SHORT_S))),
}


@pytest.fixture
def vendor() -> Iterator[Script]:
    with ExitStack() as stack:
        yield lambda *replies: stack.enter_context(Vendor(replies))


@pytest.mark.parametrize(("error", "call"), CALLS.values(), ids=CALLS)
def test_a_call_ends_at_its_deadline_and_its_connection_with_it(
    vendor: Script, request_: ChatRequest, error: type[Exception], call: Callable[[str, ChatRequest], object]
) -> None:
    def asked(slow: Vendor) -> tuple[bool, str]:
        try:
            call(slow.url, request_)
        except error:
            # On a machine that is busy enough, the deadline comes before the request.
            return True, slow.how_it_ended() if slow.asked else "left"
        return False, slow.how_it_ended()

    servers = [vendor(replace(json_reply(REPLIES), fault=fault)) for fault in SLOW]
    with ThreadPoolExecutor(len(SLOW)) as threads:
        ended = dict(zip(SLOW, threads.map(asked, servers), strict=True))

    assert ended == dict.fromkeys(SLOW, (True, "left"))


def test_a_dribbling_backend_is_not_waited_for_by_connect(vendor: Script) -> None:
    slow = vendor(replace(json_reply(REPLIES), fault="headers"))

    assert list(_failed_at_backend(BackendAddress(slow.url, None, None, {}))) == []
    assert slow.how_it_ended() == "left"


@pytest.mark.parametrize("name", ["ollama", "openai"])
def test_after_a_deadline_the_next_call_has_a_connection_of_its_own(
    vendor: Script, request: pytest.FixtureRequest, request_: ChatRequest, name: str
) -> None:
    right = json_reply(REPLIES)
    asked = vendor(right, replace(right, fault="dribble"), right)
    server = request.getfixturevalue(name)(asked.url)
    server.chat(request_, Deadline.after(LONG_S))
    with pytest.raises(DeadlineExceeded):
        server.chat(request_, Deadline.after(2 * SHORT_S))

    assert server.chat(request_, Deadline.after(LONG_S)).text == "So."
    kept, struck, opened = (one.connection for one in asked.asked)
    assert kept == struck != opened


@pytest.mark.parametrize("name", ["ollama", "openai"])
def test_a_server_that_takes_a_picture_by_the_sip_is_left(
    vendor: Script, request: pytest.FixtureRequest, request_: ChatRequest, name: str
) -> None:
    asked = vendor(replace(json_reply(REPLIES), fault="sip"))
    heavy = replace(request_, images=(Image(PNG + bytes(12_000_000), "image/png"),))  # more than sockets keep
    with pytest.raises(DeadlineExceeded):
        request.getfixturevalue(name)(asked.url).chat(heavy, Deadline.after(2 * SHORT_S))

    assert asked.how_it_ended() == "left"
    assert asked.asked == []


def test_a_proxy_of_the_environment_is_asked_and_bound_too(
    vendor: Script, request_: ChatRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = vendor(json_reply(REPLIES), replace(json_reply(REPLIES), fault="headers"))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with closing(OpenAIClient.from_settings(Settings(openai_base_url="http://models.example/v1"))) as server:
        server.chat(request_, Deadline.after(LONG_S))
        with pytest.raises(DeadlineExceeded):
            server.chat(request_, Deadline.after(2 * SHORT_S))

    assert [proxy.how_it_ended(), proxy.how_it_ended()] == ["sent", "left"]
    assert proxy.paths == ["http://models.example/v1/chat/completions"] * 2


FLOODS: dict[str, Reply] = {
    "an answer": replace(json_reply(REPLIES), fault="flood"),
    "an error": replace(json_reply({"error": {"message": "oh"}}, 500), fault="flood"),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize(
    ("call", "setting"),
    [
        (with_ollama(lambda it, asked: it.chat(asked, Deadline.after(LONG_S))), "OLLAMA_ENDPOINT"),
        (with_ollama(lambda it, _: it.check(Deadline.after(LONG_S))), "OLLAMA_ENDPOINT"),
        (with_openai(lambda it, asked: it.chat(asked, Deadline.after(LONG_S))), "OPENAI_BASE_URL"),
        (with_openai(lambda it, _: it.check(Deadline.after(LONG_S))), "OPENAI_BASE_URL"),
        (with_openai(lambda it, asked: it.chat(asked, Deadline.after(LONG_S)), azure=True), "AZURE_RESOURCE_ENDPOINT"),
    ],
    ids=["ollama chat", "ollama check", "openai chat", "openai check", "azure chat"],
)
def test_an_answer_that_does_not_end_is_refused_and_its_connection_closed(
    vendor: Script, request_: ChatRequest, call: Callable[[str, ChatRequest], object], setting: str, flood: Reply
) -> None:
    asked = vendor(flood)
    with pytest.raises(AnswerRefused, match=f"far more than an answer: is {setting} right"):
        call(asked.url, request_)

    assert asked.how_it_ended() == "left"
    assert len(asked.asked) == 1


def test_a_registrys_flood_is_refused(vendor: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotune.servers.ollama_registry.REGISTRY_S", LONG_S)
    with pytest.raises(AnswerRefused), closing(OllamaClient(vendor(FLOODS["an answer"]).url)) as server:
        server.registry.models()


def test_a_flood_instead_of_a_token_or_a_state_is_refused(vendor: Script) -> None:
    with pytest.raises(RequestInvalid, match="cannot be fetched"):
        ImageFetcher(settings(vendor(FLOODS["an answer"]).url).model_copy(update={"image_timeout_s": LONG_S})).fetch(
            "/data/a", Deadline.never()
        )
    with pytest.raises(AnswerTooLarge):
        get(vendor(FLOODS["an answer"]).url, Deadline.after(LONG_S))


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("name", ["ollama", "openai"])
def test_what_comes_packed_unasked_is_not_unpacked(
    vendor: Script, request: pytest.FixtureRequest, request_: ChatRequest, name: str, status: int
) -> None:
    headers = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))
    asked = vendor(Reply(status, gzip.compress(b" " * (8 * SMALL_BYTES) + json.dumps(REPLIES).encode()), headers))
    with pytest.raises(ModelServerError):
        request.getfixturevalue(name)(asked.url).chat(request_, Deadline.after(LONG_S))

    assert asked.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("name", ["ollama", "openai"])
def test_headers_without_end_are_no_answer(
    vendor: Script, request: pytest.FixtureRequest, request_: ChatRequest, name: str
) -> None:
    asked = vendor(json_reply(REPLIES, X_Long="a" * 1_000_000))
    with pytest.raises(ModelServerUnreachable):
        request.getfixturevalue(name)(asked.url).chat(request_, Deadline.after(LONG_S))


@pytest.mark.parametrize("name", ["ollama", "openai"])
def test_the_largest_answer_that_was_asked_for_is_taken(
    vendor: Script, request: pytest.FixtureRequest, request_: ChatRequest, name: str
) -> None:
    """As OpenAI writes it, indented: 2048 tokens, each with 20 candidates."""
    token = {"token": " word", "logprob": -12.345678901234567, "bytes": list(b" word")}
    tokens = [token | {"top_logprobs": [token] * 20}] * 2048
    choice = REPLY["choices"][0] | {"logprobs": {"content": tokens}}
    largest = replace(request_, max_tokens=2048)
    body = json.dumps(REPLY | ({"logprobs": tokens} if name == "ollama" else {"choices": [choice]}), indent=2).encode()
    assert SMALL_BYTES < len(body) < most_bytes(largest)

    answer = request.getfixturevalue(name)(vendor(Reply(body=body)).url).chat(largest, Deadline.after(LONG_S))
    assert answer.logprobs
    assert len(answer.logprobs) == 2048


def test_a_cap_grows_with_what_is_asked_for(request_: ChatRequest) -> None:
    assert most_bytes(replace(request_, max_tokens=1)) == SMALL_BYTES
    assert most_bytes(replace(request_, max_tokens=100_000, logprobs=False)) == 100_000 * TOKEN_BYTES
    assert most_bytes(replace(request_, max_tokens=100_000)) == 100_000 * TOKEN_BYTES * 22


@pytest.fixture
def gguf(tmp_path: Any) -> Any:
    path = tmp_path / "model.gguf"
    path.write_bytes(bytes(12_000_000))
    return path


def test_an_upload_has_a_deadline_by_its_size(vendor: Script, gguf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotune.servers.ollama_registry.UPLOAD_BYTES_PER_S", 1 << 40)
    asked = vendor(Reply(404), Reply(201, fault="sip"))
    with pytest.raises(DeadlineExceeded), closing(OllamaClient(asked.url)) as server:
        server.registry.push(gguf, "ab")

    assert [asked.how_it_ended(), asked.how_it_ended()] == ["sent", "left"]


def test_an_upload_that_goes_on_may_take_long(vendor: Script, gguf: Any) -> None:
    """Longer than the whole of any other call to the registry."""
    asked = vendor(Reply(404), Reply(201, fault="sip"))
    with closing(OllamaClient(asked.url)) as server:
        server.registry.push(gguf, "ab")

    assert len(asked.asked[1].body) == 12_000_000


def test_a_call_within_another_ends_with_it(vendor: Script) -> None:
    slow, network = vendor(Reply(fault="headers")), Network()
    client = network.bind(httpx.Client())
    with (
        client,
        pytest.raises(httpx.ReadTimeout),
        network.call(Deadline.after(SHORT_S)),
        network.call(Deadline.after(LONG_S)),
    ):
        client.get(slow.url)

    assert slow.how_it_ended() == "left"


def test_a_call_binds_its_own_thread_alone(vendor: Script) -> None:
    asked, network = vendor(Reply()), Network()
    with ThreadPoolExecutor(1) as threads, network.bind(httpx.Client()) as client, network.call(Deadline.after(0)):
        with pytest.raises(httpx.TimeoutException):
            client.get(asked.url)
        assert threads.submit(client.get, asked.url).result().status_code == 200

    assert len(asked.asked) == 1


class Hanging:
    """A resolver that says nothing until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        self.go.wait(PATIENCE_S)
        return ["127.0.0.1"]


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    resolver = Hanging()
    yield resolver
    resolver.go.set()


def test_a_resolver_that_hangs_holds_no_call_and_few_threads(vendor: Script, hanging: Hanging) -> None:
    asked, network = vendor(Reply()), Network(Resolver(hanging, threads=2))
    with network.bind(httpx.Client()) as client:
        for number in range(3):
            with pytest.raises(httpx.ConnectTimeout), network.call(Deadline.after(SHORT_S)):
                client.get(f"http://name{number}.example:{asked.port}")
        assert hanging.asked == ["name0.example", "name1.example"]
        hanging.go.set()
        with network.call(Deadline.after(LONG_S)):
            assert client.get(f"http://name.example:{asked.port}").status_code == 200


def test_a_picture_whose_host_is_not_resolved_in_time_is_refused(hanging: Hanging) -> None:
    source = ImageFetcher(Settings(image_hosts="pictures.example", image_timeout_s=SHORT_S), resolve=hanging)
    with pytest.raises(RequestInvalid, match="IMAGE_TIMEOUT_S"):
        source.fetch("http://pictures.example/x.png", Deadline.never())


def test_a_place_of_the_resolver_outlives_a_system_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    network = Network(Resolver(lambda _: ["127.0.0.1"], threads=1))
    with monkeypatch.context() as patch, network.call(Deadline.after(LONG_S)):
        patch.setattr(threading.Thread, "start", no_thread)
        for _ in range(2):
            with pytest.raises(OSError, match="start new thread"):
                network.resolve("name.example")

    with network.call(Deadline.after(LONG_S)):
        assert network.resolve("name.example") == ["127.0.0.1"]


def test_a_name_that_nobody_knows_is_no_connection() -> None:
    def unknown(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    for resolve in (unknown, lambda _: []):
        network = Network(Resolver(resolve))
        with network.bind(httpx.Client()) as client, pytest.raises(httpx.ConnectError):
            client.get("http://name.example")


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "says nothing"])
def test_the_next_address_is_tried_where_one(vendor: Script, silent: bool) -> None:
    asked = vendor(Reply())
    network = Network(Resolver(lambda _: ["127.0.0.2", "127.0.0.1"]))
    with ExitStack() as stack:
        if silent:  # with a full queue of those who wait to be accepted, Linux answers no more of them
            full = stack.enter_context(socket.socket())
            full.bind(("127.0.0.2", asked.port))
            full.listen(0)
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.2", asked.port))
        client = stack.enter_context(network.bind(httpx.Client()))
        with network.call(Deadline.after(2.0)):
            assert client.get(f"http://name.example:{asked.port}").status_code == 200
