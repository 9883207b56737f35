"""Two hundred clients that drip against the real web server: `/health` and people do not notice.

`make faults`; half a minute.
"""

import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.templates import find_template
from embedded.deployment import Deployment
from embedded.processes import Service, free_port
from embedded.redis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 200
DRIP_S = 0.5
FOR_S = 15
HEALTH_S = 0.5
ANSWER_S = 2.0
STARTS = (
    b"",
    b"POST /predict HTTP/1.1\r\nHost: x\r\n",
    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{",
)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """With fewer threads than clients, and a model server that answers at once."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.slow_model", str(port), "8", "0"]
    model = Service("model", command, env={}, log=tmp_path / "model.log", cwd=ROOT)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with model, RedisServer(tmp_path / "redis") as redis:
        model.start(listens, 30)
        settings = {
            "REDIS_URL": redis.url,
            "OLLAMA_ENDPOINT": f"http://127.0.0.1:{port}",
            "OPENAI_PROVIDER": "ollama",
            "OPENAI_MODEL": "slow",
            "THREADS": "8",
        }
        with Deployment(tmp_path, settings) as running:
            running.start_backend()
            yield running


class Drippers:
    """Clients that send a byte every DRIP_S, and come back when they are refused."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._clients = [self._connect(number) for number in range(CLIENTS)]
        self._thread = threading.Thread(target=self._drip)
        self.refused = 0
        self._thread.start()

    def _connect(self, number: int) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self._port), 5)
        client.sendall(STARTS[number % len(STARTS)])
        client.setblocking(False)
        return client

    def _drip(self) -> None:
        while not self._over.wait(DRIP_S):
            for number, client in enumerate(self._clients):
                try:
                    client.send(b"x")
                    gone = client.recv(1000) is not None
                except BlockingIOError:
                    gone = False
                except OSError:
                    gone = True
                if gone:
                    self.refused += 1
                    client.close()
                    self._clients[number] = self._connect(number)

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        for client in self._clients:
            client.close()


def seconds_of(port: int, method: str, path: str, body: bytes | None = None) -> float:
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    with connection.getresponse() as reply:
        told = reply.read()
        assert reply.status == http.client.OK, told
    connection.close()
    return time.monotonic() - began


def asked(number: int) -> bytes:
    prompt = {"from_name": "prompt", "to_name": "chat", "type": "textarea", "value": {"text": [f"Explain {number}"]}}
    return json.dumps(
        {
            "tasks": [{"id": number, "data": {"question": "Why?"}}],
            "project": "1.0",
            "label_config": find_template("question-answering").config,
            "params": {"context": {"result": [prompt]}},
        }
    ).encode()


def test_two_hundred_dripping_clients_hold_up_nobody(deployment: Deployment) -> None:
    port = deployment.port
    seconds_of(port, "POST", "/predict", asked(0))
    drippers = Drippers(port)
    try:
        healths, answers, pause = [], [], threading.Event()
        until = time.monotonic() + FOR_S
        while time.monotonic() < until:
            healths.append(seconds_of(port, "GET", "/health"))
            answers.append(seconds_of(port, "POST", "/predict", asked(len(answers) + 1)))
            pause.wait(0.05)
    finally:
        drippers.stop()

    print(f"/health at most {max(healths) * 1000:.0f} ms, an answer {max(answers) * 1000:.0f} ms, of {len(healths)}")
    assert max(healths) < HEALTH_S
    assert max(answers) < ANSWER_S
    assert drippers.refused > CLIENTS // 2  # each has 10 s
