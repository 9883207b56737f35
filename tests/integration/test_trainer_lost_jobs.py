"""Fifty workers are killed between taking a job and beginning it: no job is lost, and none is done twice."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from services import Eventually

from annotune.runs import TrainingRequest
from annotune.settings import Settings
from annotune.store.connection import open_store
from annotune.store.queue import TRAINING
from embedded.processes import Service

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = range(1, 51)
DEADLINE_S = 120


@pytest.fixture
def worker(redis_url: str, tmp_path: Path) -> Iterator[Service]:
    """Not started yet; its trainings are doubles that end at once."""
    (tmp_path / "go").touch()
    program = [sys.executable, str(Path(__file__).with_name("worker_double.py")), str(tmp_path)]
    environment = {
        "REDIS_URL": redis_url,
        "RECONCILE_S": "300",
        "RUNS_DIR": str(tmp_path / "runs"),
        "PYTHONPATH": str(ROOT),
    }
    with Service("worker", program, env=environment, log=tmp_path / "worker.log") as service:
        yield service


def test_what_a_killed_worker_had_taken_is_done_once(worker: Service, redis_url: str, eventually: Eventually) -> None:
    store, jobs = open_store(Settings(redis_url=redis_url))
    for project in PROJECTS:
        store.training.request(project, TrainingRequest(requested_by="a test", at=datetime.now(UTC)))
        jobs.train(project)

    taken = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("dying_workers.py")), str(len(PROJECTS))],
        env={**os.environ, "REDIS_URL": redis_url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert int(taken.stdout) == len(PROJECTS), taken.stderr
    assert jobs.lengths()[TRAINING] == 0

    worker.start(store.workers.alive, DEADLINE_S)
    eventually(lambda: not any(store.training.requested(project) for project in PROJECTS), DEADLINE_S)

    assert {project: len(store.runs.all(project)) for project in PROJECTS} == dict.fromkeys(PROJECTS, 1)
    store.close()
