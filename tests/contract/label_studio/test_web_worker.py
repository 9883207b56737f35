"""Clients that send slowly, incompletely or too much, against the real web server with two threads."""

import json
import os
import signal
import socket
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from fake_model import SIMPLE, region, task
from services import Eventually

from embedded.processes import Service, answers, free_port
from embedded.redis import RedisServer

ROOT = Path(__file__).resolve().parents[3]
SERVE = """
from annotune.settings import load_settings
from backend.server import serve
serve(load_settings(), "127.0.0.1", {})
"""
EVENT = json.dumps({"action": "TASKS_CREATED", "project": {"id": 4}}).encode()
ASKED = {"tasks": [task()], "project": 4, "label_config": SIMPLE, "params": {"context": None}}
JSON = "Content-Type: application/json\r\n"
HEAD = f"POST /webhook HTTP/1.1\r\nHost: x\r\n{JSON}"
HALF = {
    "nothing": b"",
    "half a request line": b"POST /web",
    "half a head": b"POST /webhook HTTP/1.1\r\nHost: x\r\n",
    "half a body": f"{HEAD}Content-Length: 100\r\n\r\n{{".encode(),
}
TIMEOUT_S = 20
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def server(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, int]]:
    port, folder = free_port(), tmp_path_factory.mktemp("slow")
    env = {
        "REDIS_URL": redis_server.url,
        "SPOOL_DIR": str(folder / "spool"),
        "OPENAI_PROVIDER": "ollama",
        "OLLAMA_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "DEFAULT_PROMPT": "Answer",
        "THREADS": "2",
        "MAX_BODY_MB": "2",
    }
    command = [sys.executable, "-c", SERVE.format(port)]
    with Service("backend", command, env=env, log=folder / "log", cwd=ROOT) as service:
        service.start(answers(f"http://127.0.0.1:{port}/health"), deadline_s=60)
        yield service, port


@pytest.fixture
def port(server: tuple[Service, int]) -> int:
    return server[1]


@pytest.fixture
def client(port: int) -> Iterator[socket.socket]:
    with connect(port) as connected:
        yield connected


@dataclass
class Held:
    """A model server that answers when the test lets it."""

    url: str = ""
    asked: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def held() -> Iterator[Held]:
    told = Held()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            told.asked.set()
            told.go_on.wait(TIMEOUT_S)
            body = json.dumps(
                {"message": {"role": "assistant", "content": "done"}, "done": True, "done_reason": "stop"}
            )
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield told
        told.go_on.set()
        server.shutdown()
        thread.join()


def connect(port: int, sent: bytes = b"") -> socket.socket:
    connected = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    connected.sendall(sent)
    return connected


def reply_of(client: socket.socket) -> tuple[HTTPResponse, Any]:
    reply = HTTPResponse(client)
    reply.begin()
    told = json.loads(reply.read())
    reply.close()
    return reply, told


def post(path: str, body: bytes, more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{JSON}{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def ask(port: int, method: str, path: str, body: object = None) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    kind = {"Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), kind)
    with connection.getresponse() as reply:
        status = reply.status
    connection.close()
    return status


def test_the_installed_gunicorn_is_the_one_that_is_pinned() -> None:
    """`backend/web_worker.py` relies on internals of one release: compare them before you change the pin."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert f"gunicorn=={version('gunicorn')}" in project["dependencies"]


@pytest.mark.parametrize("sent", HALF.values(), ids=HALF)
def test_half_sent_requests_keep_no_thread(port: int, sent: bytes) -> None:
    with ExitStack() as slow:
        for _ in range(8):
            slow.enter_context(connect(port, sent))

        assert ask(port, "GET", "/health") == 200
        assert ask(port, "POST", "/predict", ASKED) == 503  # no model server runs


def test_a_request_that_drips_is_answered(client: socket.socket) -> None:
    for byte in post("/webhook", EVENT):
        client.sendall(bytes([byte]))

    assert reply_of(client)[1]["queued"] is True


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (f"{HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n", 411),
        (f"{HEAD}\r\n", 411),
        (f"{HEAD}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}", 400),
        (f"{HEAD}Content-Length: +2\r\n\r\n{{}}", 400),
        (f"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: {'x' * 40_000}", 431),
        ("GET /health HTTP/1.1\r\n" + "X-Many: x\r\n" * 4_000, 431),
    ],
    ids=["chunked", "no length", "two lengths", "no number", "a long header", "many headers"],
)
def test_what_has_no_clear_length_is_refused_with_a_sentence(client: socket.socket, sent: str, status: int) -> None:
    client.sendall(sent.encode())
    reply, told = reply_of(client)

    assert (reply.status, told["status"]) == (status, status)
    assert reply.reason == told["error"]
    assert client.recv(1) == b""


def test_a_client_that_expects_to_be_told_to_go_on_is_told_once(client: socket.socket) -> None:
    whole = post("/webhook", EVENT, "Expect: 100-continue\r\n")
    client.sendall(whole.removesuffix(EVENT))

    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(EVENT)
    assert client.recv(12) == b"HTTP/1.1 200"


def test_a_body_over_the_limit_is_refused_before_it_comes(client: socket.socket) -> None:
    client.sendall(f"{HEAD}Content-Length: {60 * MEBIBYTE}\r\n\r\n".encode())
    reply, told = reply_of(client)

    assert reply.status == 413
    assert "'annotune predict'" in told["error"]
    assert reply.headers["Connection"] == "close"


def test_a_client_that_sends_all_of_it_first_sees_the_answer_too(client: socket.socket) -> None:
    client.sendall(f"{HEAD}Content-Length: {60 * MEBIBYTE}\r\n\r\n".encode())
    for _ in range(60):
        client.sendall(bytes(MEBIBYTE))

    assert reply_of(client)[0].status == 413


def test_an_expecting_client_is_refused_before_it_sends(client: socket.socket) -> None:
    client.sendall(f"{HEAD}Expect: 100-continue\r\nContent-Length: {60 * MEBIBYTE}\r\n\r\n".encode())

    assert client.recv(12) == b"HTTP/1.1 413"


def test_a_connection_is_kept_for_the_next_request(client: socket.socket) -> None:
    for _ in range(3):
        client.sendall(post("/webhook", EVENT))
        assert reply_of(client)[1]["queued"] is True


def test_a_body_that_is_not_read_does_not_spoil_the_next_request(client: socket.socket) -> None:
    for _ in range(2):
        client.sendall(post("/nowhere", b"x" * 200_000))
        assert reply_of(client)[0].status == 404


def test_pipelined_requests_are_answered_in_order(client: socket.socket) -> None:
    client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + post("/webhook", EVENT) + post("/nowhere", b"{}"))
    statuses = []
    with client.makefile("rb") as answered:
        for _ in range(3):
            statuses.append(answered.readline().split()[1])
            length = 0
            while (line := answered.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            answered.read(length)

    assert statuses == [b"200", b"200", b"404"]


def test_large_bodies_together_are_bounded_and_small_requests_still_come(port: int, eventually: Eventually) -> None:
    """Nine bodies of 1.9 MB without their last byte are over the limit of all, so one of them is refused."""
    with ExitStack() as slow:
        clients = [slow.enter_context(connect(port, post("/webhook", b"x" * 1_900_000)[:-1])) for _ in range(9)]
        refused: list[int] = []

        def read(one: socket.socket) -> None:
            if one.recv(12) == b"HTTP/1.1 503":
                refused.append(1)

        readers = [threading.Thread(target=read, args=(one,), daemon=True) for one in clients]
        for reader in readers:
            reader.start()

        assert ask(port, "POST", "/webhook", json.loads(EVENT)) == 200
        eventually(lambda: refused)  # the server has read all bodies but their last bytes
        for one in clients:
            one.sendall(b"x")
        for reader in readers:
            reader.join(TIMEOUT_S)
        assert refused == [1]


FEW = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (320, 320))
"""


def test_of_too_many_connections_the_oldest_half_sent_goes_first(redis_server: RedisServer, tmp_path: Path) -> None:
    """A process that may open 320 files accepts 64 connections."""
    port = free_port()
    env = {
        "REDIS_URL": redis_server.url,
        "OPENAI_PROVIDER": "ollama",
        "OLLAMA_ENDPOINT": f"http://127.0.0.1:{free_port()}",
    }
    command = [sys.executable, "-c", FEW + SERVE.format(port)]
    with (
        Service("backend", command, env=env | {"THREADS": "2"}, log=tmp_path / "log", cwd=ROOT) as service,
        ExitStack() as slow,
    ):
        service.start(answers(f"http://127.0.0.1:{port}/health"), deadline_s=60)
        clients = [slow.enter_context(connect(port, HALF["half a head"])) for _ in range(80)]

        assert ask(port, "GET", "/health") == 200
        assert clients[0].recv(1) == b""
        clients[-1].sendall(b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        assert clients[-1].recv(12) == b"HTTP/1.1 400"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_lets_an_answer_end_and_waits_for_no_half_request(
    redis_server: RedisServer, tmp_path: Path, held: Held, workers: str
) -> None:
    port = free_port()
    env = {
        "REDIS_URL": redis_server.url,
        "SPOOL_DIR": str(tmp_path / "spool"),
        "OPENAI_PROVIDER": "ollama",
        "OLLAMA_ENDPOINT": held.url,
        "WORKERS": workers,
    }
    command = [sys.executable, "-c", SERVE.format(port)]
    with Service("backend", command, env=env, log=tmp_path / "log", cwd=ROOT) as service:
        service.start(answers(f"http://127.0.0.1:{port}/health"), deadline_s=60)
        editor = {"result": [region("prompt", "Explain")]}
        with connect(port, HALF["half a body"]), connect(port) as person:
            person.sendall(post("/predict", json.dumps(ASKED | {"params": {"context": editor}}).encode()))
            assert held.asked.wait(TIMEOUT_S)
            os.killpg(service.pid, signal.SIGTERM)
            held.go_on.set()
            reply, told = reply_of(person)
            service._process.wait(TIMEOUT_S)

    assert reply.status == 200
    assert told["results"][0]["result"][0]["value"]["text"] == ["done"]
