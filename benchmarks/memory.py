"""Memory of the backend after many large requests: `make bench-memory`.

Redis and gunicorn are real, on loopback. Bodies and configs look as Label Studio (1.23.2) sends them; hostile ones come last
and are listed apart. The exit code is 1 if the memory at rest is over its limit. The peak is the kernel's figure for the web
process (`VmHWM`, reset before each part).
"""

import http.client
import json
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from curation.templates import find_template
from embedded.deployment import Deployment
from embedded.processes import Service, free_port
from embedded.redis import RedisServer

ROOT = Path(__file__).resolve().parent.parent
CONFIG = find_template("question-answering").config
BODIES = 200
CONFIGS = 200
BODY_MB = 15.9
CONCURRENT_REQUESTS = 4
SETTLE_S = 3
LIMIT_MB = 400
TEXT = "A patient with type 2 diabetes asks about metformin, and what to do when a dose was forgotten. " * 20


def region(control: str, text: str) -> dict[str, object]:
    return {"id": control, "from_name": control, "to_name": "chat", "type": "textarea", "value": {"text": [text]}}


def task(number: int) -> dict[str, object]:
    """A task as Label Studio sends it with a batch, with all its fields."""
    result = [region("prompt", "Answer in one sentence."), region("response", TEXT[:400])]
    return {
        "id": number,
        "data": {"question": f"{number}: {TEXT}"},
        "meta": {},
        "created_at": "2026-11-22T15:01:41.765299Z",
        "updated_at": "2026-11-22T15:01:41.765347Z",
        "is_labeled": True,
        "overlap": 1,
        "inner_id": number,
        "total_annotations": 1,
        "cancelled_annotations": 0,
        "total_predictions": 1,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": 4,
        "updated_by": 1,
        "file_upload": None,
        "comment_authors": [],
        "annotations": [{"id": number, "task": number, "result": result, "was_cancelled": False, "lead_time": 12.5}],
        "predictions": [
            {"id": number, "task": number, "result": result, "score": 0.5, "model_version": "slow@0a1b2c3d"}
        ],
    }


def predict(tasks: str, config: str = CONFIG) -> bytes:
    """The body of a batch. `tasks` is JSON."""
    body = json.dumps({"project": "4.1795359701", "label_config": config, "params": {"context": None}})
    return f'{body[:-1]}, "tasks": {tasks}}}'.encode()


def realistic_body() -> bytes:
    """The largest body that is accepted, of tasks as Label Studio sends them."""
    one = len(json.dumps(task(100_000)))
    return predict(json.dumps([task(number) for number in range(int(BODY_MB * 1e6) // (one + 2))]))


def filled(cell: str) -> bytes:
    """A body of tasks whose data have this JSON value a thousand times each."""
    one = f'{{"id": 1, "data": {{"a": [{",".join([cell] * 1000)}]}}}}'
    return predict(f"[{','.join([one] * (int(BODY_MB * 1e6) // (len(one) + 1)))}]")


def small_tasks(number: int) -> bytes:
    one = '{"id":1,"data":{}}'
    return predict(f"[{','.join([one] * number)}]")


def config(number: int) -> str:
    """A labeling config of 200 choices with hints, of 12 kB."""
    labels = "".join(f'<Choice value="class {number}-{n}" hint="of the kind {n}, as told"/>' for n in range(200))
    return f'<View><Text name="chat" value="$question"/><Choices name="c" toName="chat">{labels}</Choices></View>'


HOSTILE: dict[str, Callable[[], bytes]] = {
    "zeros": lambda: filled("0"),
    "empty lists": lambda: filled("[]"),
    "small objects": lambda: filled('{"b":1}'),
    "50,000 tasks": lambda: small_tasks(50_000),
    "600,000 tasks": lambda: small_tasks(600_000),
    "deep lists": lambda: b"[" * int(BODY_MB * 1e6),
    "a config of 15 MB": lambda: predict(json.dumps([task(1)]), f"<View>{'<View/>' * int(15e6 / 7)}</View>"),
    "a config of 1 MB": lambda: predict(json.dumps([task(1)]), f"<View>{'<View/>' * 140_000}</View>"),
}


class Process:
    """The memory of the web process that gunicorn started."""

    def __init__(self, parent: int) -> None:
        [child] = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        self._folder = Path("/proc") / child

    def held_mb(self) -> float:
        return self._field("VmRSS")

    def peak_mb(self) -> float:
        return self._field("VmHWM")

    def reset_peak(self) -> None:
        (self._folder / "clear_refs").write_text("5")

    def _field(self, name: str) -> float:
        lines = (self._folder / "status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:"))) / 1024


def post(port: int, path: str, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=150)
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    with connection.getresponse() as reply:
        reply.read()
    connection.close()
    return reply.status


def measure(port: int, process: Process) -> float:
    """Print the figures. Returns the megabytes at rest after the realistic requests."""
    print(f"{'':44}{'seconds':>10}{'peak MB':>10}{'rest MB':>10}  answers")
    time.sleep(SETTLE_S)
    print(f"{'started':44}{'':>10}{process.peak_mb():>10.0f}{process.held_mb():>10.0f}")

    def part(name: str, bodies: list[tuple[str, bytes]], at_once: int) -> float:
        process.reset_peak()
        began = time.monotonic()
        with ThreadPoolExecutor(at_once) as clients:
            statuses = list(clients.map(lambda request: post(port, *request), bodies))
        seconds = time.monotonic() - began
        time.sleep(SETTLE_S)
        counts = {status: statuses.count(status) for status in sorted(set(statuses))}
        print(f"{name:44}{seconds:>10.1f}{process.peak_mb():>10.0f}{process.held_mb():>10.0f}  {counts}", flush=True)
        return process.held_mb()

    body = realistic_body()
    part(
        f"{BODIES} bodies of {len(body) / 1e6:.1f} MB, {CONCURRENT_REQUESTS} at once",
        [("/predict", body)] * BODIES,
        CONCURRENT_REQUESTS,
    )
    setups = [json.dumps({"project": "4.1", "schema": config(number)}).encode() for number in range(CONFIGS)]
    rest = part(
        f"{CONFIGS} configs of {len(config(1)) / 1e3:.0f} kB",
        [("/setup", body) for body in setups],
        CONCURRENT_REQUESTS,
    )
    for name, make in HOSTILE.items():
        part(f"hostile: {name}", [("/predict", make())] * 2, 2)
    return rest


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder, model_port = Path(scratch), free_port()
        command = [sys.executable, "-m", "benchmarks.slow_model", str(model_port), "8", "0"]
        model = Service("slow model", command, env={}, log=folder / "model.log", cwd=ROOT)
        with model, RedisServer(folder / "redis") as redis:
            model.start(lambda: True, 30)
            settings = {
                "REDIS_URL": redis.url,
                "OLLAMA_ENDPOINT": f"http://127.0.0.1:{model_port}",
                "OPENAI_PROVIDER": "ollama",
                "OPENAI_MODEL": "slow",
                "MODEL_DEADLINE_S": "3",
                "DEFAULT_PROMPT": "Answer.",
                "LOG_LEVEL": "ERROR",
                "SPOOL_DIR": str(folder / "spool"),
            }
            with Deployment(folder, settings) as deployment:
                deployment.start_backend()
                rest = measure(deployment.port, Process(deployment.backend.pid))
    print(f"at rest {rest:.0f} MB, of at most {LIMIT_MB}")
    return int(rest > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
