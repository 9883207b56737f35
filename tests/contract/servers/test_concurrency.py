"""One limit, one deadline and one retry layer, over both adapters and over a scripted server."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from vendor import Reply, Vendor, json_reply

from annotune.chat import ChatRequest, Completion
from annotune.deadline import Deadline
from annotune.errors import DeadlineExceeded, ModelServerBusy, ModelServerError
from annotune.log import set_up
from annotune.servers.base import ModelServer
from annotune.servers.concurrency import TRIES, LimitedServer
from annotune.servers.openai import OpenAIClient

LONG_S, SHORT_S = 20.0, 0.2
BUSY = Reply(503, headers=(("Retry-After", "0"),))
OLLAMA_REPLY = {"message": {"content": "So."}, "done": True}
OPENAI_REPLY = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "So."}}]}
COMPLETION = Completion(text="So.", model="m", prompt_tokens=1, tokens=1, seconds=0, finish="stop")

Script = Callable[..., Vendor]


@pytest.fixture(params=["ollama", "openai"])
def adapter(request: pytest.FixtureRequest) -> Callable[[str], ModelServer]:
    """Each adapter in its turn."""
    made: Callable[[str], ModelServer] = request.getfixturevalue(request.param)
    return made


class Gate:
    """A `ModelServer` whose answers wait until the test opens it; counts who is inside."""

    name = "gate"
    url = "http://gate"
    capabilities = OpenAIClient.capabilities

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()

    def chat(self, request: ChatRequest, deadline: Deadline) -> Completion:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.entered.release()
        self.opened.wait(deadline.left_s)
        with self._lock:
            self.inside -= 1
        return COMPLETION

    def check(self, deadline: Deadline) -> None:
        self.checked = deadline

    def close(self) -> None:
        self.closed = True


class Busy(Gate):
    """A server that is always busy, and remembers the deadlines that it was given."""

    def __init__(self, retry_after_s: float | None = None) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s
        self.deadlines: list[Deadline] = []

    def chat(self, request: ChatRequest, deadline: Deadline) -> Completion:
        self.deadlines.append(deadline)
        raise ModelServerBusy("busy", self.retry_after_s)


def test_a_wrong_key_is_one_request_and_not_six(
    vendor: Script, adapter: Callable[[str], ModelServer], request_: ChatRequest, key: str
) -> None:
    asked = vendor(json_reply({"error": {"message": f"Incorrect API key provided: {key}"}}, 401))

    with pytest.raises(ModelServerError) as raised:
        LimitedServer(adapter(asked.url), 1).chat(request_, Deadline.after(LONG_S))
    assert len(asked.asked) == 1
    assert "RetryError" not in str(raised.value)


def test_a_busy_server_is_three_requests_and_not_eighteen(
    vendor: Script, adapter: Callable[[str], ModelServer], request_: ChatRequest
) -> None:
    asked = vendor(BUSY)

    with pytest.raises(ModelServerBusy, match="busy"):
        LimitedServer(adapter(asked.url), 1).chat(request_, Deadline.after(LONG_S))
    assert len(asked.asked) == TRIES == 3


@pytest.mark.parametrize("status", [400, 404, 500])
def test_what_is_not_busy_is_not_tried_again(
    vendor: Script, adapter: Callable[[str], ModelServer], request_: ChatRequest, status: int
) -> None:
    asked = vendor(Reply(status))

    with pytest.raises(Exception, match=r"."):
        LimitedServer(adapter(asked.url), 1).chat(request_, Deadline.after(LONG_S))
    assert len(asked.asked) == 1


def test_a_server_that_is_busy_once_answers(
    vendor: Script, adapter: Callable[[str], ModelServer], request_: ChatRequest
) -> None:
    asked = vendor(BUSY, json_reply(OLLAMA_REPLY | OPENAI_REPLY))

    assert LimitedServer(adapter(asked.url), 1).chat(request_, Deadline.after(LONG_S)).text == "So."
    assert len(asked.asked) == 2


def test_a_retry_after_beyond_the_deadline_is_not_waited_for(
    vendor: Script, adapter: Callable[[str], ModelServer], request_: ChatRequest
) -> None:
    asked = vendor(Reply(429, headers=(("Retry-After", "3600"),)))

    with pytest.raises(ModelServerBusy):
        LimitedServer(adapter(asked.url), 1).chat(request_, Deadline.after(LONG_S))
    assert len(asked.asked) == 1


def test_a_hanging_server_is_one_request(
    vendor: Script, adapter: Callable[[str], ModelServer], request_: ChatRequest
) -> None:
    asked = vendor(Reply(fault="hang"))

    with pytest.raises(DeadlineExceeded):
        LimitedServer(adapter(asked.url), 1).chat(request_, Deadline.after(SHORT_S))
    assert len(asked.asked) == 1


def test_after_the_deadline_no_server_is_asked(
    vendor: Script, adapter: Callable[[str], ModelServer], request_: ChatRequest
) -> None:
    asked = vendor(json_reply(OLLAMA_REPLY | OPENAI_REPLY))

    with pytest.raises(DeadlineExceeded, match="MODEL_DEADLINE_S"):
        LimitedServer(adapter(asked.url), 1).chat(request_, Deadline.after(-1))
    assert asked.asked == []


def test_a_retry_waits_as_long_as_the_server_says(request_: ChatRequest) -> None:
    waits: list[float] = []

    with pytest.raises(ModelServerBusy):
        LimitedServer(Busy(retry_after_s=7), 1, pause=waits.append).chat(request_, Deadline.after(LONG_S))
    assert waits == [7, 7]


def test_without_a_word_from_the_server_the_waits_grow(request_: ChatRequest) -> None:
    waits: list[float] = []

    with pytest.raises(ModelServerBusy):
        LimitedServer(Busy(), 1, pause=waits.append).chat(request_, Deadline.after(LONG_S))
    first, second = waits
    assert 0.25 <= first <= 0.5 <= second <= 1


def test_every_try_has_the_same_deadline(request_: ChatRequest) -> None:
    server, deadline = Busy(retry_after_s=0), Deadline.after(LONG_S)

    with pytest.raises(ModelServerBusy):
        LimitedServer(server, 1).chat(request_, deadline)
    assert server.deadlines == [deadline] * TRIES


def test_no_more_calls_at_a_time_than_the_limit(request_: ChatRequest) -> None:
    gate = Gate()
    limited = LimitedServer(gate, 3)
    with ThreadPoolExecutor(12) as threads:
        calls = [threads.submit(limited.chat, request_, Deadline.after(LONG_S)) for _ in range(12)]
        for _ in range(3):
            gate.entered.acquire()
        assert gate.inside == 3
        gate.opened.set()
        assert {call.result() for call in calls} == {COMPLETION}

    assert gate.most == 3


def test_who_finds_no_place_within_the_deadline_is_told_the_setting(request_: ChatRequest) -> None:
    gate = Gate()
    limited = LimitedServer(gate, 1)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(limited.chat, request_, Deadline.after(LONG_S))
        gate.entered.acquire()
        with pytest.raises(DeadlineExceeded, match="MODEL_CONCURRENCY"):
            limited.chat(request_, Deadline.after(SHORT_S))
        gate.opened.set()
        call.result()

    assert gate.most == 1


def test_a_place_is_given_back_after_a_failure(request_: ChatRequest) -> None:
    limited = LimitedServer(Busy(retry_after_s=0), 1)
    for _ in range(3):
        with pytest.raises(ModelServerBusy):
            limited.chat(request_, Deadline.after(LONG_S))


def test_check_and_close_reach_the_server() -> None:
    gate = Gate()
    limited = LimitedServer(gate, 1)
    deadline = Deadline.after(3)
    limited.check(deadline)
    limited.close()

    assert (limited.name, limited.url, limited.capabilities) == ("gate", "http://gate", gate.capabilities)
    assert (gate.checked, gate.closed) == (deadline, True)


def test_no_key_stands_in_the_log_even_at_debug(
    vendor: Script,
    openai: Callable[[str], ModelServer],
    request_: ChatRequest,
    key: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    handlers, level = logging.root.handlers[:], logging.root.level
    set_up("DEBUG")
    logging.root.addHandler(caplog.handler)
    try:
        openai(vendor(json_reply(OPENAI_REPLY)).url).chat(request_, Deadline.after(LONG_S))
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)

    seen = caplog.text + capsys.readouterr().err
    assert key not in seen
    assert "Why?" not in seen
    assert "httpcore2" not in seen
