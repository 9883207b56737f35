"""`annotune worker` as real processes on a real Redis: what is killed starts anew, what restarts loses nothing."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from label_studio_double import LabelStudioDouble

from annotune.models import ModelRef
from annotune.runs import TrainingRequest, TrainingRun
from annotune.settings import Settings
from annotune.store.connection import open_store
from annotune.store.queue import TRAINING
from annotune.store.redis import connect_redis
from commands.main import annotune
from embedded.processes import Service
from embedded.redis import RedisServer

PROJECT = 4
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("worker_double.py")
DEADLINE_S = 60
Eventually = Callable[..., Any]


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(PROJECT, questions=3)
    return double


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may stop."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


class Bench:
    """A worker that is not started yet, and what it works with."""

    def __init__(self, folder: Path, redis_url: str, double: LabelStudioDouble) -> None:
        self.folder = folder
        folder.mkdir()
        self.store, self.jobs = open_store(Settings(redis_url=redis_url), patience="job")
        environment = {
            "REDIS_URL": redis_url,
            "LABEL_STUDIO_URL": double.url,
            "LABEL_STUDIO_API_KEY": "legacy",
            "RECONCILE_S": "300",
            "RUNS_DIR": str(folder / "runs"),
            "PYTHONPATH": str(ROOT),
        }
        self.worker = Service(
            "worker", [sys.executable, str(PROGRAM), str(folder)], env=environment, log=folder / "worker.log"
        )

    def start(self) -> None:
        self.worker.start(self.store.workers.alive, DEADLINE_S)

    def request_training(self) -> bool:
        """As START_TRAINING does."""
        won = self.store.training.request(PROJECT, TrainingRequest(requested_by="test", at=datetime.now(UTC)))
        if won:
            self.jobs.train(PROJECT)
        return won

    def began(self) -> list[int]:
        """Process ids of the trainings that began."""
        files = sorted(self.folder.glob("began-*"), key=lambda path: int(path.name.removeprefix("began-")))
        return [int(text) for text in (path.read_text() for path in files) if text]

    def let_go(self) -> None:
        (self.folder / "go").touch()

    def ended(self) -> list[TrainingRun]:
        return self.store.runs.all(PROJECT)


@pytest.fixture
def bench(tmp_path: Path, redis_url: str, double: LabelStudioDouble) -> Iterator[Bench]:
    made = Bench(tmp_path / "bench", redis_url, double)
    with made.worker:
        yield made


def runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def children(process: int) -> list[int]:
    """Process ids of a process's children."""
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_a_webhook_leads_to_a_sync(bench: Bench, double: LabelStudioDouble, eventually: Eventually) -> None:
    double.submit(PROJECT, 0, "one")
    bench.start()

    bench.jobs.changed(PROJECT)

    assert eventually(lambda: bench.store.changes.summary(PROJECT), DEADLINE_S).usable == 1


def test_what_a_command_chose_comes_back_by_itself_after_redis_was_emptied(
    bench: Bench, double: LabelStudioDouble, redis_url: str, eventually: Eventually
) -> None:
    bench.start()
    double.refusal = (503, {"detail": "down for maintenance"})
    deployment = {"REDIS_URL": redis_url, "RUNS_DIR": str(bench.folder / "nowhere")}
    for project, text in ((PROJECT, "Be short."), (5, "Be kind.")):
        told = CliRunner().invoke(annotune, ["prompts", "set", str(project)], env=deployment, input=text)
        assert told.exit_code == 0, told.output
    chosen = ModelRef(server="openai", model="gpt-9")
    bench.store.live.swap(5, None, chosen)
    bench.jobs.changed(5)
    kept = bench.folder / "runs" / "p5" / "pointers.json"
    eventually(lambda: kept.exists() and "gpt-9" in kept.read_text(), DEADLINE_S)
    eventually((bench.folder / "runs" / f"p{PROJECT}" / "pointers.json").exists, DEADLINE_S)

    with connect_redis(redis_url, patience="job", decode=False) as client:
        client.flushall()
    eventually(bench.store.backup.mark, DEADLINE_S)

    assert bench.store.live.get(5) == chosen
    assert [bench.store.prompts.used(project).text for project in (PROJECT, 5)] == ["Be short.", "Be kind."]
    assert not (bench.folder / "nowhere").exists()
    assert "Redis was emptied" in bench.worker.log.read_text()


def test_what_no_webhook_told_is_found_at_the_start(
    bench: Bench, double: LabelStudioDouble, eventually: Eventually
) -> None:
    double.submit(PROJECT, 0, "one")
    bench.store.projects.remember(PROJECT)

    bench.start()

    assert eventually(lambda: bench.store.changes.summary(PROJECT), DEADLINE_S).usable == 1


def test_twenty_requests_are_one_run(bench: Bench, eventually: Eventually) -> None:
    bench.start()
    for _ in range(20):
        bench.request_training()
    eventually(bench.began, DEADLINE_S)

    bench.let_go()
    eventually(lambda: bench.store.training.requested(PROJECT) is None, DEADLINE_S)

    assert len(bench.ended()) == len(bench.began()) == 1


def test_a_killed_worker_takes_its_training_along_and_the_next_one_starts_anew(
    bench: Bench, eventually: Eventually
) -> None:
    bench.start()
    bench.request_training()
    [first] = eventually(bench.began, DEADLINE_S)
    inside = children(bench.worker.pid)

    os.kill(bench.worker.pid, signal.SIGKILL)
    eventually(lambda: not any(runs(process) for process in (first, *inside)), DEADLINE_S)
    bench.worker.stop()
    bench.start()
    eventually(lambda: len(bench.began()) == 2, DEADLINE_S)
    bench.let_go()
    eventually(bench.ended, DEADLINE_S)

    assert [run.state for run in bench.ended()] == ["promoted"]
    assert eventually(lambda: bench.store.training.requested(PROJECT) is None, DEADLINE_S)


@pytest.mark.parametrize("victim", ["training", "its worker"])
def test_a_killed_process_is_replaced(bench: Bench, eventually: Eventually, victim: str) -> None:
    bench.start()
    bench.request_training()
    [first] = eventually(bench.began, DEADLINE_S)
    [worker] = [process for process in children(bench.worker.pid) if first in children(process)]

    os.kill(first if victim == "training" else worker, signal.SIGKILL)
    eventually(lambda: len(bench.began()) == 2, DEADLINE_S)

    assert not runs(first)
    assert bench.worker.alive


def test_a_stop_is_prompt_leaves_no_process_and_keeps_the_request(bench: Bench, eventually: Eventually) -> None:
    bench.start()
    bench.request_training()
    [training] = eventually(bench.began, DEADLINE_S)
    inside = children(bench.worker.pid)

    os.kill(bench.worker.pid, signal.SIGTERM)
    eventually(lambda: not bench.worker.alive, DEADLINE_S)

    assert not any(runs(process) for process in (training, *inside))
    assert bench.store.training.requested(PROJECT) is not None
    assert "Traceback" not in bench.worker.log_tail()


def test_redis_restarted_across_the_end_of_a_job_loses_nothing(
    tmp_path: Path, own_redis: RedisServer, double: LabelStudioDouble, eventually: Eventually
) -> None:
    bench = Bench(tmp_path / "bench", own_redis.url, double)
    with bench.worker:
        bench.start()
        bench.request_training()
        eventually(bench.began, DEADLINE_S)

        own_redis.stop()
        bench.let_go()
        own_redis.start()
        eventually(bench.ended, DEADLINE_S)
        eventually(lambda: bench.store.training.requested(PROJECT) is None, DEADLINE_S)
        bench.request_training()
        eventually(lambda: len(bench.ended()) == 2, DEADLINE_S)

        assert [run.number for run in bench.ended()] == [2, 1]
        assert eventually(lambda: bench.jobs.lengths()[TRAINING] == 0, DEADLINE_S)


def test_without_redis_the_worker_waits_and_names_the_setting(
    tmp_path: Path, own_redis: RedisServer, double: LabelStudioDouble, eventually: Eventually
) -> None:
    own_redis.stop()
    bench = Bench(tmp_path / "bench", own_redis.url, double)
    with bench.worker:
        bench.worker.start(lambda: "REDIS_URL" in bench.worker.log.read_text(), DEADLINE_S)

        own_redis.start()

        assert eventually(bench.store.workers.alive, DEADLINE_S)
        with contextlib.suppress(ProcessLookupError):
            assert eventually(lambda: len(children(bench.worker.pid)) == 2, DEADLINE_S)
