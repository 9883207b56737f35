"""The time that the backend adds to a model server's own: the first part of `make bench-serve`.

Redis and gunicorn are real, and are asked over persistent HTTP connections. The model server takes a known time and has a
known number of slots (`benchmarks/slow_model.py`). The exit code is 1 if a figure is over its limit.
"""

import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.templates import find_template
from embedded.deployment import Deployment
from embedded.processes import Service, free_port
from embedded.redis import RedisServer

ROOT = Path(__file__).resolve().parent.parent
CONFIG = find_template("question-answering").config
CALL_S = 0.2
SLOTS = 8
BATCH = 64
QUESTIONS = 300
WARM_UP = 20  # questions
PEOPLE = 64
HEALTH_REQUESTS = 300
LONG_BATCH = 250


@dataclass(frozen=True)
class Figure:
    """A measured value and its limit, both in `unit`."""

    name: str
    value: float
    limit: float
    unit: str


class Caller:
    """One persistent connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def post(self, path: str, body: bytes) -> dict[str, Any]:
        self._connection.request("POST", path, body, {"Content-Type": "application/json"})
        return self._read()

    def get(self, path: str) -> dict[str, Any]:
        self._connection.request("GET", path)
        return self._read()

    def _read(self) -> dict[str, Any]:
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status != http.HTTPStatus.OK:
            raise SystemExit(f"a request failed: {reply.status} {body[:200]!r}")
        values: dict[str, Any] = json.loads(body)
        return values

    def close(self) -> None:
        self._connection.close()


def predict(first: int, number: int, *, typed: str | None = None) -> bytes:
    """A body of `/predict`: a batch, or with `typed` a person's question. `first` is the id of its first task."""
    prompt = {"from_name": "prompt", "to_name": "chat", "type": "textarea", "value": {"text": [typed]}}
    return json.dumps(
        {
            "tasks": [{"id": first + n, "data": {"question": f"What of {first + n}?"}} for n in range(number)],
            "project": "1.0",
            "label_config": CONFIG,
            "params": {"context": {"result": [prompt]} if typed else None},
        }
    ).encode()


def answered(reply: dict[str, Any]) -> int:
    """The number of tasks with a prediction."""
    return sum("result" in item for item in reply["results"])


@contextmanager
def running(slots: int, call_s: float) -> Iterator[tuple[Deployment, int]]:
    """The backend, and the port of its model server, which has this many slots and takes `call_s` for an answer."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, port = Path(scratch), free_port()
        command = [sys.executable, "-m", "benchmarks.slow_model", str(port), str(slots), str(call_s)]
        model = Service("slow model", command, env={}, log=folder / "model.log", cwd=ROOT)
        with RedisServer(folder / "redis") as redis:
            settings = {
                "REDIS_URL": redis.url,
                "OLLAMA_ENDPOINT": f"http://127.0.0.1:{port}",
                "OPENAI_PROVIDER": "ollama",
                "OPENAI_MODEL": "slow",
                "DEFAULT_PROMPT": "Answer.",
                "MODEL_CONCURRENCY": str(slots),
                "LOG_LEVEL": "WARNING",
            }
            with Deployment(folder, settings) as deployment:
                try:
                    model.start(lambda: _listens(port), 30)
                    deployment.start_backend()
                    yield deployment, port
                finally:
                    model.stop()


def _listens(port: int) -> bool:
    try:
        http.client.HTTPConnection("127.0.0.1", port, timeout=2).connect()
    except OSError:
        return False
    return True


def batch(port: int) -> Figure:
    """Seconds of a batch, after a smaller one to warm up."""
    caller = Caller(port)
    caller.post("/predict", predict(10_000, SLOTS))
    began = time.monotonic()
    reply = caller.post("/predict", predict(1, BATCH))
    seconds = time.monotonic() - began
    caller.close()
    if answered(reply) != BATCH:
        raise SystemExit("not all tasks of the batch were answered")
    return Figure(f"batch of {BATCH}, {SLOTS} slots of {CALL_S * 1000:.0f} ms", seconds, 1.9, "s")


def interactive(port: int, model_port: int) -> Figure:
    """The median of the milliseconds that the backend adds. Each question is compared with a direct call right before it."""
    person, direct = Caller(port), Caller(model_port)
    chat = {"model": "slow", "messages": [{"role": "user", "content": "Explain\n\nWhat of 1?"}], "stream": False}
    body = json.dumps(chat).encode()
    through_s, direct_s = [], []
    for n in range(QUESTIONS + WARM_UP):
        began = time.monotonic()
        direct.post("/api/chat", body)
        between = time.monotonic()
        person.post("/predict", predict(n, 1, typed="Explain"))
        if n >= WARM_UP:
            direct_s.append(between - began)
            through_s.append(time.monotonic() - between)
    person.close()
    direct.close()
    added = (statistics.median(through_s) - statistics.median(direct_s)) * 1000
    return Figure(f"a person's question, added at the median of {QUESTIONS}", added, 4, "ms")


def health(port: int) -> Figure:
    """The 99th percentile of `/health` in milliseconds, while many people ask all the time."""
    stop = threading.Event()

    def ask(number: int) -> int:
        caller, asked = Caller(port), 0
        while not stop.is_set():
            caller.post("/predict", predict(number, 1, typed=f"Explain {asked}"))
            asked += 1
        caller.close()
        return asked

    with ThreadPoolExecutor(PEOPLE) as people:
        asking = [people.submit(ask, 1000 + number) for number in range(PEOPLE)]
        caller, seconds = Caller(port), []
        for _ in range(HEALTH_REQUESTS):
            began = time.monotonic()
            caller.get("/health")
            seconds.append(time.monotonic() - began)
            time.sleep(0.02)
        stop.set()
        caller.close()
        asked = sum(count.result() for count in asking)
    p99 = sorted(seconds)[int(HEALTH_REQUESTS * 0.99)] * 1000
    return Figure(
        f"/health beside {PEOPLE} people ({asked} answers), 99th percentile of {HEALTH_REQUESTS}", p99, 100, "ms"
    )


def person_in_batch(port: int) -> Figure:
    """Seconds of a person's question while a batch has all slots."""
    with ThreadPoolExecutor(1) as other:
        body = predict(50_000, LONG_BATCH)
        long = other.submit(lambda: Caller(port).post("/predict", body))
        time.sleep(2 * CALL_S)  # by then the batch is running
        person = Caller(port)
        seconds = []
        for n in range(5):
            began = time.monotonic()
            person.post("/predict", predict(60_000 + n, 1, typed="Explain"))
            seconds.append(time.monotonic() - began)
        person.close()
        if answered(long.result()) != LONG_BATCH:
            raise SystemExit("not all tasks of the long batch were answered")
    # It waits for the rest of one call of the batch, and for its own.
    return Figure(f"a person's question in a batch of {LONG_BATCH}, one slot, slowest of 5", max(seconds), 0.5, "s")


def main() -> int:
    with running(SLOTS, CALL_S) as (deployment, _):
        figures = [batch(deployment.port), health(deployment.port)]
    with running(SLOTS, 0) as (deployment, model_port):
        figures.append(interactive(deployment.port, model_port))
    with running(1, CALL_S) as (deployment, _):
        figures.append(person_in_batch(deployment.port))
    print(f"{'':72}{'seen':>10}{'limit':>10}")
    for figure in figures:
        print(f"{figure.name:72}{figure.value:>10.2f}{figure.limit:>10g} {figure.unit}")
    return int(any(figure.value > figure.limit for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
