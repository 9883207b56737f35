"""The web process while a training runs on the same cores: `make bench-serve`.

Real parts: Redis, llama.cpp behind the Ollama-compatible server, gunicorn, and the trainer's own script at nice 15. Asks
`/webhook` and `/health` 600 times each at 50 a second, beside them a person's question of 64 tokens again and again, and
prints the 50th and 99th percentiles. Ends with 1 if a figure is over its limit.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from annotune.completion import Message
from annotune.dataset import side, write_dataset
from annotune.example import Example, Origin
from annotune.recipe import Recipe
from annotune.servers.ollama import OllamaServer as OllamaClient
from curation.projects import labeling_config
from embedded.base_model import BASE_MODEL, add_base_model
from embedded.deployment import Deployment
from embedded.formulary import formulary
from embedded.ollama import OllamaServer
from embedded.redis import RedisServer

REPOSITORY = Path(__file__).resolve().parent.parent
SCRIPTS = REPOSITORY / "trainer" / "scripts"
TRAINER_PYTHON = REPOSITORY / ".venv-trainer" / "bin" / "python"
REQUESTS = 600
RATE = 50
NICE = 15
WEBHOOK_P99_MS = 50
HEALTH_P99_MS = 100
ANSWER_S = 10


class Training:
    """The trainer's script over an invented formulary, for as long as the measurement takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        recipe = Recipe.load("small").model_dump(mode="json")
        recipe["training"] |= {"epochs": 200, "max_steps": 0}
        self._recipe = recipe
        self._process: subprocess.Popen[str] | None = None
        self.steps = 0

    def start(self) -> None:
        """Return once the first step is done."""
        examples = [
            Example(
                messages=(Message("user", entry.question),),
                answer=entry.answer,
                origin=Origin(project=1, task=n, annotation=n, annotator=1, prompt_sha="", kind="typed"),
            )
            for n, entry in enumerate(formulary(seed=7), start=1)
        ]
        train = [example for example in examples if side(example.messages[0].content) == "train"]
        write_dataset(self._folder / "dataset", train, [example for example in examples if example not in train])
        base = self._run("prepare", {"recipe": self._recipe, "cache": str(self._folder / "bases")})
        job = {
            "base": base["base"],
            "dataset": str(self._folder / "dataset"),
            "output": str(self._folder / "run"),
            "recipe": self._recipe,
        }
        self._process = self._popen("train", job)
        first = threading.Event()
        threading.Thread(target=self._follow, args=(first,), daemon=True).start()
        if not first.wait(timeout=300):
            raise SystemExit("the training made no step within 300 s")

    def _follow(self, first: threading.Event) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if json.loads(line)["event"] == "step":
                self.steps += 1
                first.set()

    def _popen(self, script: str, job: dict[str, object]) -> "subprocess.Popen[str]":
        path = self._folder / f"{script}.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        command = ["nice", "-n", str(NICE), str(TRAINER_PYTHON), str(SCRIPTS / f"{script}.py"), "--job", str(path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def _run(self, script: str, job: dict[str, object]) -> dict[str, object]:
        output, _ = self._popen(script, job).communicate()
        done: dict[str, object] = json.loads(output.splitlines()[-1])
        return done

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


async def open_loop(call: Callable[[], Awaitable[httpx.Response]]) -> list[float]:
    """Seconds of each of REQUESTS calls, begun at RATE a second whether or not the earlier ones have ended."""
    began = time.monotonic()

    async def one(n: int) -> float:
        await asyncio.sleep(max(0, began + n / RATE - time.monotonic()))
        started = time.monotonic()
        (await call()).raise_for_status()
        return time.monotonic() - started

    return await asyncio.gather(*(one(n) for n in range(REQUESTS)))


async def ask_until(client: httpx.AsyncClient, stop: asyncio.Event) -> list[float]:
    """Seconds of each answer of 64 tokens, one after the other."""
    seconds = []
    n = 0
    while not stop.is_set():
        n += 1
        prompt = {"from_name": "prompt", "to_name": "chat", "type": "textarea", "value": {"text": [f"Tell story {n}."]}}
        body = {
            "tasks": [{"id": n, "data": {"question": "A long story about a hospital."}}],
            "project": "1.0",
            "label_config": labeling_config("question-answering"),
            "params": {"context": {"result": [prompt]}},
        }
        started = time.monotonic()
        (await client.post("/predict", json=body, timeout=120)).raise_for_status()
        seconds.append(time.monotonic() - started)
    return seconds


async def measure(url: str) -> tuple[list[float], list[float], list[float]]:
    """Seconds of webhooks, of health checks and of answers, all at the same time."""
    event = {
        "action": "ANNOTATION_CREATED",
        "project": {"id": 1},
        "annotation": {"id": 1, "result": []},
        "task": {"id": 1},
    }
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30, trust_env=False) as client:
        stop = asyncio.Event()
        answers_s = asyncio.create_task(ask_until(client, stop))
        webhooks_s, health_s = await asyncio.gather(
            open_loop(lambda: client.post("/webhook", json=event)), open_loop(lambda: client.get("/health"))
        )
        stop.set()
        return webhooks_s, health_s, await answers_s


def percentile(seconds: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))] * 1000


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "training").mkdir()
        training = Training(folder / "training")
        with RedisServer(folder / "redis") as redis, OllamaServer(folder / "models") as server:
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
