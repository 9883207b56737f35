"""A large project, from its import to its dataset: `make bench-curation`.

Label Studio, Redis and the backend are real, on loopback. The texts and their annotations are generated, and come with the
import; the model server answers at once (`benchmarks/slow_model.py`). Each command runs twice in a process of its own. The
peak of its memory is the kernel's figure. The exit code is 1 if a figure is over its limit, or anything is there twice.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from annotune.label_studio.client import LabelStudioClient
from annotune.settings import load_settings
from embedded.deployment import ANNOTUNE, Deployment
from embedded.label_studio import LabelStudio
from embedded.processes import Service, answers, free_port
from embedded.redis import RedisServer

ROOT = Path(__file__).resolve().parent.parent
TASKS = 10_000
CALLS = 16
MEMORY_MB = 600
MINUTES = 15
DRUGS = [
    f"{first}{middle}{last}"
    for first in ("Zor", "Bel", "Qua", "Tri", "Vex")
    for middle in ("va", "mo", "ni", "lu")
    for last in ("xil", "tin", "rol", "mab", "fen")
]
ILLNESSES = [
    "gout",
    "asthma",
    "migraine",
    "eczema",
    "anaemia",
    "insomnia",
    "vertigo",
    "psoriasis",
    "rosacea",
    "sciatica",
]


@dataclass(frozen=True)
class Ran:
    """A command: its seconds, the peak of its memory in megabytes, and the last line that it printed."""

    name: str
    seconds: float
    peak_mb: float
    said: str


def question(number: int) -> str:
    """A question that no other number asks."""
    drug, illness = DRUGS[number % len(DRUGS)], ILLNESSES[number // len(DRUGS) % len(ILLNESSES)]
    return f"How many milligrams of {drug}-{number} do adults with {illness} take in week {number % 52} of their treatment?"


def filled(control: str, to_name: str, text: str) -> dict[str, object]:
    value = {"text": [text]}
    return {
        "id": control,
        "from_name": control,
        "to_name": to_name,
        "type": "textarea",
        "value": value,
        "origin": "manual",
    }


def write_tasks(path: Path, to_name: str, data: Callable[[int], dict[str, str]], answer: Callable[[int], str]) -> None:
    """Write a file of tasks, each with an annotation that holds a prompt and an answer."""
    with path.open("w", encoding="utf-8") as lines:
        for number in range(TASKS):
            result = [filled("prompt", to_name, "Answer."), filled("response", to_name, answer(number))]
            lines.write(json.dumps({"data": data(number), "annotations": [{"result": result}]}) + "\n")


def text(number: int) -> dict[str, str]:
    body = (
        f"Report {number}. " + f"Adults took {DRUGS[number % len(DRUGS)]}-{number} once a day, before breakfast. " * 12
    )
    return {"text": body, "abstract_id": str(number)}


def pair(number: int) -> dict[str, str]:
    return {"question": question(number), "answer": f"{number % 90 + 5} mg."}


def run(deployment: Deployment, *arguments: str) -> Ran:
    """Run a command, and stop the benchmark if it fails."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [*ANNOTUNE, *arguments],
            env={**os.environ, **deployment.environment},
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().strip()
    name = " ".join(Path(each).name for each in arguments)
    if process.returncode:
        raise SystemExit(f"annotune {name} failed: {said}")
    done = Ran(name, time.monotonic() - began, usage.ru_maxrss / 1024, said.splitlines()[-1] if said else "")
    print(f"{done.name:52}{done.seconds:>9.1f} s{done.peak_mb:>7.0f} MB  {done.said[:120]}", flush=True)
    return done


def create(deployment: Deployment, template: str) -> str:
    """The number of a new project."""
    said = deployment.run("project", "create", template)
    found = re.search(r"/projects/(\d+)", said)
    if found is None:
        raise SystemExit(f"no project's address in {said!r}")
    return found[1]


def measure(deployment: Deployment, folder: Path) -> list[Ran]:
    """Run all commands, each twice."""
    texts, pairs, out = folder / "texts.jsonl", folder / "pairs.jsonl", folder / "dataset"
    write_tasks(texts, "text", text, question)
    write_tasks(pairs, "question", pair, lambda number: f"Adults take {number % 90 + 5} mg in the morning.")
    questions, to_answer, answered = (create(deployment, template) for template in ("questions", "answers", "medchat"))
    commands = [
        ("import", questions, str(texts)),
        ("import", answered, str(pairs)),
        ("curate", "questions", questions, to_answer),
        ("predict", to_answer),
        ("dataset", "build", answered, "--out", str(out)),
    ]
    done = [run(deployment, *command) for command in commands for _ in range(2)]
    print(f"{TASKS} tasks of project {to_answer} and {TASKS} rows in {out.name} are looked at for doubles", flush=True)
    check_doubles(deployment, int(to_answer), out)
    return done


def check_doubles(deployment: Deployment, project: int, out: Path) -> None:
    """Stop the benchmark if a question, a prediction or a row is there twice, or one is missing."""
    studio = LabelStudioClient.from_settings(load_settings(**_lower(deployment)))
    asked = Counter(str(task.data["question"]) for task in studio.tasks.listed(project))
    predicted = Counter(len(task.predictions) for task in studio.tasks.touched(project, [range(1, 1 << 31)]))
    studio.close()
    rows = [json.loads(line) for side in ("train", "eval") for line in (out / f"{side}.jsonl").open(encoding="utf-8")]
    numbers = {row["id"] for row in rows}
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    left_out = sum(manifest["left_out"].values())
    print(f"questions {len(asked)}, predictions by task {dict(predicted)}, rows {len(rows)}, left out {left_out}")
    if set(asked.values()) != {1} or len(asked) != TASKS or dict(predicted) != {1: TASKS}:
        raise SystemExit("a question or a prediction is there twice, or is missing")
    if len(numbers) != len(rows) or len(rows) + left_out != TASKS:
        raise SystemExit("a row is there twice, or is missing")


def _lower(deployment: Deployment) -> dict[str, str]:
    names = ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "REDIS_URL")
    return {name.lower(): deployment.environment[name] for name in names}


@contextmanager
def running(folder: Path) -> Iterator[Deployment]:
    """Label Studio, Redis, a model server and the backend."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.slow_model", str(port), str(CALLS), "0"]
    model = Service("slow model", command, env={}, log=folder / "model.log", cwd=ROOT)
    studio = LabelStudio(folder / "label-studio")
    (folder / "label-studio").mkdir()
    with RedisServer(folder / "redis") as redis, studio, model:
        model.start(answers(f"http://127.0.0.1:{port}/"), 30)
        settings = {
            "REDIS_URL": redis.url,
            "LABEL_STUDIO_URL": studio.url,
            "LABEL_STUDIO_API_KEY": studio.api_key,
            "WEBHOOK_SECRET": "only-for-benchmarks",
            "OLLAMA_ENDPOINT": f"http://127.0.0.1:{port}",
            "OPENAI_PROVIDER": "ollama",
            "OPENAI_MODEL": "slow",
            "MODEL_CONCURRENCY": str(CALLS),
            "LOG_LEVEL": "WARNING",
        }
        with Deployment(folder, settings) as deployment:
            deployment.start_backend()
            yield deployment


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch, running(Path(scratch)) as deployment:
        done = measure(deployment, Path(scratch))
    peak, minutes = max(each.peak_mb for each in done), sum(each.seconds for each in done) / 60
    print(f"peak {peak:.0f} MB of at most {MEMORY_MB}; {minutes:.1f} minutes of at most {MINUTES}")
    return int(peak > MEMORY_MB or minutes > MINUTES)


if __name__ == "__main__":
    sys.exit(main())
