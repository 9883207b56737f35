"""The web process while a training runs on the same cores: `make bench-serve`.

Redis, gunicorn, the training and llama.cpp (on one core, behind the Ollama-compatible server) are real. The script sends 600
requests each to `/webhook` and `/health`, 50 a second, while a person asks for answers of 64 tokens all the time. It prints
the 50th and 99th percentiles. The exit code is 1 if a figure is over its limit.
"""

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from annotune.chat import Message
from annotune.errors import TrainingCancelled
from annotune.recipe import Recipe
from annotune.servers.ollama import OllamaClient
from annotune.split import MIN_HELD_OUT
from curation.dataset import write_dataset
from curation.example import Example, Origin
from curation.templates import find_template
from embedded.base_model import BASE_MODEL, add_base_model
from embedded.deployment import Deployment
from embedded.formulary import formulary
from embedded.ollama import OllamaServer
from embedded.redis import RedisServer
from trainer.engine import PREPARE, TRAIN, SubprocessEngine
from trainer.events import Event, Stepped

REPOSITORY = Path(__file__).resolve().parent.parent
TRAINER_PYTHON = REPOSITORY / ".venv-trainer" / "bin" / "python"
REQUESTS = 600
RATE = 50
WEBHOOK_P99_MS = 50
HEALTH_P99_MS = 100
ANSWER_S = 10
READING_S = 2


class Training:
    """A training on invented questions, as the worker runs it. It lasts until `stop`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._recipe = Recipe.load("small").model_dump(mode="json")
        self._recipe["training"] |= {"epochs": 200, "max_steps": 0}
        self._stepped, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.steps = 0

    def start(self) -> None:
        """Start the training, and return after its first step."""
        self._thread.start()
        if not self._stepped.wait(timeout=300):
            raise SystemExit("the training made no step within 300 s")

    def _run(self) -> None:
        examples = [
            Example(
                messages=(Message("user", pair.question),),
                answer=pair.answer,
                origin=Origin(project=1, task=n, annotation=n, annotator=1, prompt_sha="", kind="typed"),
            )
            for n, pair in enumerate(formulary(seed=7), start=1)
        ]
        dataset = write_dataset(self._folder / "dataset", examples[MIN_HELD_OUT:], examples[:MIN_HELD_OUT])
        engine = SubprocessEngine(TRAINER_PYTHON)
        job = {"recipe": self._recipe, "cache": str(self._folder / "bases"), "output": str(self._folder)}
        cancelled = self._stopped.is_set
        with suppress(TrainingCancelled):
            prepared = engine.run(PREPARE, job, self._folder, on_event=self._on_event, cancelled=cancelled)
            job |= {"base": prepared.base, "dataset": str(dataset.folder)}
            engine.run(TRAIN, job, self._folder, on_event=self._on_event, cancelled=cancelled)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Stepped):
            self.steps += 1
            self._stepped.set()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()


class Caller:
    """Sends one request over persistent connections, with little CPU time: it shares the cores that it measures."""

    def __init__(self, host: str, port: int, method: str, path: str, body: bytes = b"") -> None:
        self._address = host, port
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        self._request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __call__(self) -> None:
        reused = bool(self._idle)
        connection = self._idle.pop() if reused else await asyncio.open_connection(*self._address)
        reader, writer = connection
        writer.write(self._request)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, ConnectionError):
            if not reused:
                raise
            await self()  # the server had closed the idle connection
            return
        status, *fields = head.lower().splitlines()
        length = next(int(field.partition(":")[2]) for field in fields if field.startswith("content-length:"))
        await reader.readexactly(length)
        if " 200 " not in f"{status} ":
            raise SystemExit(f"a request failed: {status}")
        if "connection: close" in fields:
            writer.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


async def open_loop(call: Callable[[], Awaitable[None]]) -> list[float]:
    """Seconds of each of `REQUESTS` calls. `RATE` calls start each second, even if earlier ones have not ended."""
    began = time.monotonic()

    async def one(n: int) -> float:
        await asyncio.sleep(max(0, began + n / RATE - time.monotonic()))
        started = time.monotonic()
        await call()
        return time.monotonic() - started

    return await asyncio.gather(*(one(n) for n in range(REQUESTS)))


async def ask_until(client: httpx.AsyncClient, stop: asyncio.Event) -> list[float]:
    """Seconds of each answer of 64 tokens; a person reads each for `READING_S`."""
    seconds = []
    n = 0
    while not stop.is_set():
        n += 1
        prompt = {"from_name": "prompt", "to_name": "chat", "type": "textarea", "value": {"text": [f"Tell story {n}."]}}
        body = {
            "tasks": [{"id": n, "data": {"question": "A long story about a hospital."}}],
            "project": "1.0",
            "label_config": find_template("question-answering").config,
            "params": {"context": {"result": [prompt]}},
        }
        started = time.monotonic()
        (await client.post("/predict", json=body, timeout=120)).raise_for_status()
        seconds.append(time.monotonic() - started)
        await asyncio.sleep(READING_S)
    return seconds


async def measure(url: str) -> tuple[list[float], list[float], list[float]]:
    """Seconds of webhooks, of health requests and of answers, measured at the same time."""
    event = {
        "action": "ANNOTATION_CREATED",
        "project": {"id": 1},
        "annotation": {"id": 1, "result": []},
        "task": {"id": 1},
    }
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 80
    webhook = Caller(host, port, "POST", "/webhook", json.dumps(event).encode())
    health = Caller(host, port, "GET", "/health")
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        stop = asyncio.Event()
        answers_s = asyncio.create_task(ask_until(client, stop))
        webhooks_s, health_s = await asyncio.gather(open_loop(webhook), open_loop(health))
        stop.set()
        webhook.close()
        health.close()
        return webhooks_s, health_s, await answers_s


def percentile(seconds: list[float], share: float) -> float:
    """The percentile in milliseconds. `share` is 0..1."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))] * 1000


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "training").mkdir()
        training = Training(folder / "training")
        with RedisServer(folder / "redis") as redis, OllamaServer(folder / "models", threads=1) as server:
            client = OllamaClient(server.url)
            add_base_model(client)
            client.close()
            settings = {
                "REDIS_URL": redis.url,
                "OLLAMA_ENDPOINT": server.url,
                "OPENAI_PROVIDER": "ollama",
                "OPENAI_MODEL": BASE_MODEL,
                "MAX_TOKENS": "64",
                "NUM_CTX": "2048",
                "LOG_LEVEL": "WARNING",
            }
            with Deployment(folder, settings) as deployment:
                deployment.start_backend()
                try:
                    training.start()
                    before = training.steps
                    webhooks_s, health_s, answers_s = asyncio.run(measure(deployment.url))
                    steps = training.steps - before
                finally:
                    training.stop()
    rows = [
        ("/webhook", webhooks_s, WEBHOOK_P99_MS),
        ("/health", health_s, HEALTH_P99_MS),
        ("answer of 64 tokens", answers_s, ANSWER_S * 1000),
    ]
    print(f"{os.cpu_count()} cores, {steps} training steps meanwhile")
    print(f"{'':22}{'requests':>10}{'p50 ms':>10}{'p99 ms':>10}{'limit ms':>10}")
    for name, seconds, limit in rows:
        p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
        print(f"{name:22}{len(seconds):>10}{p50:>10.1f}{p99:>10.1f}{limit:>10}")
    return int(any(percentile(seconds, 0.99) > limit for _, seconds, limit in rows))


if __name__ == "__main__":
    sys.exit(main())
