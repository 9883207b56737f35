"""A dataset of 100,000 annotations: `make bench-datasets`. Another number: `make bench-datasets ARGS=10000`.

A stand-in of Label Studio in a process of its own serves annotated tasks in pages, as 1.23.2 does. Redis is real, and so are
the client, the choice of the annotations, the comparison of all questions and the files. A question is about one of many
drugs, three to a source text; some repeat an earlier one, some have a second annotation, and some are skipped.
The exit code is 1 if the build takes longer or more memory than its limits, or if it loses a row.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from annotune.settings import Settings
from curation.api import Annotune
from embedded.redis import RedisServer

PROJECT = 3
ANNOTATIONS = 100_000
LIMIT_S, LIMIT_MB = 90, 500
SKIPPED_ONE_IN, REPEATED_ONE_IN, TWICE_ONE_IN = 50, 40, 20
AT = "2026-11-22T15:01:41.765299Z"
CONFIG = """<View><Text name="question" value="$question"/><Text name="source" value="$source_text"/>
<TextArea name="prompt" toName="question"/><TextArea name="response" toName="question" smart="false"/></View>"""
ASKS = (
    "What is the recommended starting dose of {drug} for {group} with {disease}?",
    "Which side effects of {drug} should {group} with {disease} be told about before the treatment begins?",
    "How long after {drug} was stopped do the symptoms of {disease} return in {group}, according to the study?",
    "Why is {drug} not given to {group} who have {disease} and a reduced renal function?",
    "In {group} with {disease}, which tests must be done before {drug} is given for the first time?",
)
GROUPS = ("adults", "children under ten", "pregnant women", "people over seventy", "athletes", "nurses")
DISEASES = ("asthma", "type 2 diabetes", "gout", "Lyme disease", "psoriasis", "heart failure", "migraine", "anaemia")
SOURCE = "In a series of 212 patients the drug was given for twelve weeks, and nobody was harmed. " * 12


def question(number: int) -> str:
    """The question of a task; of one in `REPEATED_ONE_IN` that of the task before it, in other dress."""
    if number % REPEATED_ONE_IN == REPEATED_ONE_IN - 1:
        return question(number - 1).upper().rstrip("?") + " ?"
    chosen = random.Random(number)  # noqa: S311 - repeatable, not secret
    drug = "".join(chosen.choice("bdfglmnprstvxz") + chosen.choice("aeiou") for _ in range(4))
    return chosen.choice(ASKS).format(drug=drug, group=chosen.choice(GROUPS), disease=chosen.choice(DISEASES))


def region(control: str, text: str) -> dict[str, Any]:
    return {"id": control, "from_name": control, "to_name": "question", "type": "textarea", "value": {"text": [text]}}


def annotation(number: int, user: int, task: int, answer: str) -> dict[str, Any]:
    """An annotation as the data manager's list has it."""
    return {
        "id": number,
        "result": [region("prompt", "Answer by the text: {source_text} {question}"), region("response", answer)],
        "was_cancelled": task % SKIPPED_ONE_IN == 0,
        "ground_truth": False,
        "created_at": AT,
        "updated_at": AT,
        "draft_created_at": None,
        "lead_time": 12.5,
        "import_id": None,
        "last_action": None,
        "bulk_created": False,
        "task": task,
        "project": PROJECT,
        "completed_by": user,
        "updated_by": user,
        "parent_prediction": None,
        "parent_annotation": None,
        "last_created_by": None,
        "created_username": "ada@example.org, 1",
        "created_ago": "3 days",
    }


def task(number: int) -> dict[str, Any]:
    """A task as the data manager's list has it."""
    twice = number % TWICE_ONE_IN == 1
    first = 2 * number
    annotations = [annotation(first, 1, number, f"Answer {number}, as the text says.")]
    annotations += [annotation(first + 1, 2, number, f"The answer is {number}.")] if twice else []
    return {
        "id": number,
        "data": {
            "question": question(number),
            "source_text": f"Text {number // 3}. {SOURCE}",
            "abstract_id": number // 3,
        },
        "annotations": annotations,
        "predictions": [],
        "total_annotations": len(annotations),
        "cancelled_annotations": 0,
        "total_predictions": 0,
        "is_labeled": True,
        "overlap": 1,
        "inner_id": number,
        "meta": {},
        "created_at": AT,
        "updated_at": AT,
        "project": PROJECT,
        "file_upload": None,
        "comment_count": 0,
        "comment_authors": [],
        "annotators": [1],
    }


class StandIn(BaseHTTPRequestHandler):
    """Serves the tasks 1 to `tasks` of one project."""

    protocol_version = "HTTP/1.1"
    tasks = 0

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/api/tasks/":
            page, size = int(query["page"]), int(query["page_size"])
            first = (page - 1) * size + 1
            rows = [task(number) for number in range(first, min(first + size, self.tasks + 1))]
            self._send({"tasks": rows, "total": self.tasks, "total_annotations": self.tasks, "total_predictions": 0})
        elif parts.path.startswith("/api/projects/"):
            self._send(
                {"id": PROJECT, "title": "Answers", "label_config": CONFIG, "evaluate_predictions_automatically": False}
            )
        else:
            self._send({"status": "UP"})

    def _send(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def serve(tasks: int) -> None:
    """Serve so many tasks. The first line of standard output is the port."""
    StandIn.tasks = tasks
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    print(server.server_port, flush=True)
    server.serve_forever()


def tasks_with(annotations: int) -> int:
    """The fewest tasks that have so many annotations together."""
    return next(
        tasks
        for tasks in range(annotations * TWICE_ONE_IN // (TWICE_ONE_IN + 1) - 2, annotations + 1)
        if tasks + (tasks + TWICE_ONE_IN - 1) // TWICE_ONE_IN >= annotations
    )


def held_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(annotations: int) -> Iterator[str]:
    """Build the dataset twice, and yield what did not hold."""
    tasks = tasks_with(annotations)
    command = [sys.executable, "-m", "benchmarks.datasets", "serve", str(tasks)]
    stand_in = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    port = stand_in.stdout.readline().strip() if stand_in.stdout else ""
    try:
        with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as redis:
            settings = Settings(
                label_studio_url=f"http://127.0.0.1:{port}",
                label_studio_api_key="legacy",  # type: ignore[arg-type] - read by pydantic
                redis_url=redis.url,
                default_prompt="Answer in one sentence: {question}",
                runs_dir=Path(folder) / "runs",
            )
            before = held_mb()
            with Annotune(settings) as annotune:
                for what in ("built", "again"):
                    began = time.monotonic()
                    built = annotune.build_dataset(PROJECT, out=Path(folder) / "set")
                    took = time.monotonic() - began
                    counts, left_out = built.manifest.counts, built.manifest.left_out
                    print(f"{what}: {took:.1f} s, {annotations / took:,.0f} annotations a second, peak {held_mb()} MB")
                    if took > LIMIT_S * max(1, annotations / ANNOTATIONS):
                        yield f"{what}: {took:.0f} s, over the limit of {LIMIT_S}"
                print(
                    f"rows {counts}, left out {left_out}, similar {built.manifest.similar_pairs}; at first {before} MB"
                )
                print(f"files: {sum(path.stat().st_size for path in built.folder.iterdir()) >> 20} MB")
    finally:
        stand_in.kill()
        stand_in.wait()
    if held_mb() > LIMIT_MB:
        yield f"{held_mb()} MB, over the limit of {LIMIT_MB}"
    if built.is_new:
        yield "built again, it changed"
    if sum(counts.values()) + sum(left_out.values()) != tasks + (tasks + TWICE_ONE_IN - 1) // TWICE_ONE_IN:
        yield "an annotation is neither in the dataset nor left out"


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
        return
    os.environ.setdefault("NO_PROXY", "127.0.0.1")
    wrong = list(measure(int(sys.argv[1]) if sys.argv[1:] else ANNOTATIONS))
    print("\n".join(wrong) or "all within the limits")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
