"""SIGTERM and SIGINT to commands in processes of their own, also where SIGINT is ignored from the start."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from doubles import FakeOllama, serving
from label_studio_double import LabelStudioDouble
from services import Eventually, annotune_command

from annotune.prompt import ProjectPrompt
from annotune.runs import TrainingRequest
from annotune.settings import Settings
from annotune.store.store import Store
from embedded.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
TASKS = 12
SOON_S = 60
IGNORED, DEFAULT = "SIG_IGN", "default_int_handler"
Start = Callable[..., "subprocess.Popen[str]"]


class Held(FakeOllama):
    """Answers no chat until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.may = threading.Event()

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked += 1
        self.may.wait(SOON_S)
        return super()._chat(body)


@pytest.fixture
def ollama() -> Iterator[Held]:
    double = Held()
    with serving(double) as double.url:
        yield double
        double.may.set()


@pytest.fixture
def studio(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(4, questions=TASKS)
    return double


@pytest.fixture
def store(store: Store) -> Store:
    store.prompts.add(4, ProjectPrompt(text="Answer.", source="command", at=datetime.now(UTC)))
    return store


@pytest.fixture
def start(studio: LabelStudioDouble, ollama: Held, store: Store, redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Starts `annotune ...` in a process of its own, which is killed at the end."""
    ours = {
        "LABEL_STUDIO_URL": studio.url,
        "LABEL_STUDIO_API_KEY": "legacy",
        "REDIS_URL": redis_url,
        "OPENAI_PROVIDER": "ollama",
        "OPENAI_MODEL": "small",
        "OLLAMA_ENDPOINT": ollama.url,
        "MODEL_CONCURRENCY": "2",
        "RECIPE": "small",
        "RUNS_DIR": str(tmp_path / "runs"),
        "SPOOL_DIR": str(tmp_path / "spool"),
        "PYTHONUNBUFFERED": "1",
    }
    unset = {name.upper(): "" for name in Settings.model_fields}
    started: list[subprocess.Popen[str]] = []

    def begin(sigint: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*annotune_command(sigint), *arguments],
            env={**os.environ, **unset, **ours},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("sigint", "sent", "code"),
    [
        (DEFAULT, signal.SIGINT, 130),
        (DEFAULT, signal.SIGTERM, 143),
        (IGNORED, signal.SIGTERM, 143),
    ],
)
def test_predict_pushes_what_is_under_way_and_begins_no_more(
    start: Start, studio: LabelStudioDouble, ollama: Held, store: Store, eventually: Eventually, sigint, sent, code
) -> None:
    running = start(sigint, "predict", "4")
    eventually(lambda: ollama.asked == 2, SOON_S)

    running.send_signal(sent)
    eventually(lambda: "a second signal" in running.stderr.readline(), SOON_S)
    ollama.may.set()
    told, complained = running.communicate(timeout=SOON_S)

    assert running.returncode == code, complained
    assert "2 predictions pushed, 0 tasks skipped, 0 failed" in told
    assert "run it again" in complained
    assert [len(store.answers.known(4, 4000 + task)) for task in range(3)] == [1, 1, 0]
    assert [len(found) for found in studio.predictions(4)] == [1, 1, *[0] * (TASKS - 2)]


def test_a_second_signal_ends_predict_at_once(
    start: Start, studio: LabelStudioDouble, ollama: Held, eventually: Eventually
) -> None:
    running = start(IGNORED, "predict", "4")
    eventually(lambda: ollama.asked == 2, SOON_S)
    running.terminate()
    eventually(lambda: "a second signal" in running.stderr.readline(), SOON_S)

    running.terminate()

    assert running.wait(timeout=SOON_S) == -signal.SIGTERM
    assert not ollama.may.is_set()


def test_ctrl_c_stays_ignored_where_it_was_at_the_start(start: Start, ollama: Held, eventually: Eventually) -> None:
    running = start(IGNORED, "predict", "4")
    eventually(lambda: ollama.asked == 2, SOON_S)

    running.send_signal(signal.SIGINT)
    ollama.may.set()
    told, _ = running.communicate(timeout=SOON_S)

    assert (running.returncode, f"{TASKS} predictions pushed" in told) == (0, True)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_only_the_watching_of_a_training_ends(
    start: Start, store: Store, eventually: Eventually, sent: signal.Signals, code: int
) -> None:
    running = start(DEFAULT, "train", "4")
    eventually(lambda: "waiting" in running.stdout.readline(), SOON_S)

    running.send_signal(sent)
    _, complained = running.communicate(timeout=SOON_S)

    assert (running.returncode, "the training goes on" in complained) == (code, True), complained
    assert isinstance(store.training.requested(4), TrainingRequest)


def test_the_backend_ends_well_on_sigterm(start: Start, eventually: Eventually) -> None:
    port = free_port()
    running = start(IGNORED, "serve", "--host", "127.0.0.1", "--port", str(port))
    eventually(lambda: _answers(port), SOON_S)

    running.terminate()

    assert running.wait(timeout=SOON_S) == 0


def test_the_worker_ends_well_on_sigterm(start: Start, store: Store, eventually: Eventually) -> None:
    running = start(IGNORED, "worker")
    eventually(store.workers.alive, SOON_S)

    running.terminate()

    assert running.wait(timeout=SOON_S) == 0
    assert not store.workers.alive()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False
