"""A model server and a Label Studio that dribble: people get a clear answer in time, and the web server goes on."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from services import Eventually

from embedded.deployment import Deployment

PEOPLE = 3
DEADLINE_S, MORE_S, HEALTH_S = 2, 2, 0.5
LOOKS_S = 90
CONFIG = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<TextArea name="response" toName="chat" smart="false"/></View>"""
PROMPT = {"id": "p", "from_name": "prompt", "to_name": "chat", "type": "textarea", "value": {"text": ["Explain"]}}
# begun with, then said again and again
DRIBBLES = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "102 Processing": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
}


@contextmanager
def dribbler(begin: bytes, drip: bytes) -> Iterator[str]:
    """The URL of a server that says `drip` each half second until its end, however long that is."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(begin)
            while not over.wait(0.5):
                connection.sendall(drip)

    def accept() -> None:
        with suppress(OSError), ThreadPoolExecutor(100) as threads:
            while True:
                threads.submit(answer, listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture(params=DRIBBLES.values(), ids=DRIBBLES.keys())
def backend(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a backend with few threads, before a model server and a Label Studio that dribble."""
    with ExitStack() as stack:
        url = stack.enter_context(dribbler(*request.param))
        settings = {
            "OPENAI_PROVIDER": "ollama",
            "OLLAMA_ENDPOINT": url,
            "LABEL_STUDIO_URL": url,
            "LABEL_STUDIO_API_KEY": "made-up",
            "REDIS_URL": redis_url,
            "WORKERS": "1",
            "THREADS": str(PEOPLE + 1),
            "MODEL_DEADLINE_S": str(DEADLINE_S),
        }
        deployment = stack.enter_context(Deployment(tmp_path, settings))
        deployment.start_backend()
        yield deployment.url


def ask(url: str, task: int) -> tuple[int, str, float]:
    """What a person gets: the status, the body, and after how many seconds."""
    body = {
        "tasks": [{"id": task, "data": {"question": "Why?"}, "annotations": [], "predictions": []}],
        "project": 4,
        "label_config": CONFIG,
        "params": {"context": {"result": [PROMPT]}},
    }
    began = time.monotonic()
    reply = httpx.post(f"{url}/predict", json=body, timeout=60, trust_env=False)
    return reply.status_code, reply.text, time.monotonic() - began


def test_people_get_a_clear_answer_in_time_and_health_goes_on(backend: str, eventually: Eventually) -> None:
    over, took, looked = threading.Event(), [], set()

    def look() -> None:
        with httpx.Client(base_url=backend, timeout=60, trust_env=False) as client:
            while not over.wait(0.05):
                began = time.monotonic()
                report = json.loads(client.get("/health").text)
                took.append(time.monotonic() - began)
                if report["checked_at"]:
                    looked.add(report["checked_at"])

    with ThreadPoolExecutor(PEOPLE + 1) as threads:
        looking = threads.submit(look)
        try:
            told = [one for _ in range(2) for one in threads.map(lambda task: ask(backend, task), range(PEOPLE))]
            eventually(lambda: looking.done() or len(looked) > 1, LOOKS_S)
        finally:
            over.set()
        looking.result()

    for status, body, seconds in told:
        assert status == httpx.codes.SERVICE_UNAVAILABLE
        assert "did not answer within" in body
        assert seconds < DEADLINE_S + MORE_S
    assert max(took) < HEALTH_S
