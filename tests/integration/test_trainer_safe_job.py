"""Jobs that are none of ours, in the queue of a real worker: none runs, and the good job behind them does."""

import json
import pickle
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from label_studio_double import LabelStudioDouble
from rq import Callback, Queue, Repeat, Retry
from rq.job import Job
from services import Eventually

from annotune.settings import Settings
from annotune.store.connection import open_store
from annotune.store.job_spec import CHANGED_JOB
from annotune.store.queue import CHANGES
from embedded.processes import Service

PROJECT = 4
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("worker_double.py")
DEADLINE_S = 60
STRIKE = "hostile.strike"


class Bench:
    """A worker that is not started yet, and the ways into its Redis."""

    def __init__(self, folder: Path, redis_url: str, studio: LabelStudioDouble) -> None:
        self.mark = folder / "mark"
        self.store, self.jobs = open_store(Settings(redis_url=redis_url), patience="job")
        self.queue = self.jobs.queue(CHANGES)
        self.connection = self.queue.connection
        self.asked: list[str] = []
        environment = {
            "REDIS_URL": redis_url,
            "LABEL_STUDIO_URL": studio.url,
            "LABEL_STUDIO_API_KEY": "legacy",
            "RECONCILE_S": "300",
            "HOSTILE_MARK": str(self.mark),
            "RUNS_DIR": str(folder / "runs"),
            "PYTHONPATH": str(ROOT),
        }
        self.worker = Service(
            "worker", [sys.executable, str(PROGRAM), str(folder)], env=environment, log=folder / "worker.log"
        )

    def put(self, name: str, *arguments: Any, **more: Any) -> Job:
        return self.queue.enqueue_call(name, args=arguments, **more)

    def change(self, job: Job, **fields: bytes | str) -> None:
        """Write into a job's hash what RQ's own functions would not."""
        self.connection.hset(job.key, mapping=fields)


@pytest.fixture
def studio(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(PROJECT, questions=1)
    return double


@pytest.fixture
def bench(tmp_path: Path, redis_url: str, studio: LabelStudioDouble) -> Iterator[Bench]:
    made = Bench(tmp_path, redis_url, studio)
    with made.worker:
        yield made
    made.store.close()
    made.connection.close()


@pytest.fixture
def listener(bench: Bench) -> Iterator[str]:
    """An address that notes who calls it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bench.asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/called"
    server.shutdown()
    thread.join()
    server.server_close()


def put_hostile(bench: Bench, listener: str) -> list[Job]:
    struck = Callback(STRIKE)
    webhooks = json.dumps(
        [{"url": listener, "job_status": status, "headers": {}, "timeout": 5} for status in ("finished", "failed")]
    )
    jobs = [
        bench.put("os.system", f"touch {bench.mark}"),
        bench.put(STRIKE),
        bench.put(CHANGED_JOB, PROJECT, kwargs={"see": STRIKE}),
        bench.put(CHANGED_JOB, PROJECT, on_success=struck),
        bench.put(CHANGED_JOB, "no project", on_failure=struck),
        bench.put(CHANGED_JOB, PROJECT, on_stopped=struck),
        bench.put(STRIKE, retry=Retry(max=3)),
        bench.put(CHANGED_JOB, PROJECT, repeat=Repeat(times=3)),
    ]
    called = bench.put(CHANGED_JOB, PROJECT)
    bench.change(called, webhooks=webhooks)
    failing = bench.put("os.no_such_function")
    bench.change(failing, webhooks=webhooks)
    pickled = bench.put(CHANGED_JOB, PROJECT)
    bench.change(pickled, data=pickle.dumps((STRIKE, None, (), {})))
    method = bench.put(CHANGED_JOB, PROJECT)
    bench.change(method, data=json.dumps(["format", "{0}", [PROJECT], {}]))
    garbled = bench.put(CHANGED_JOB, PROJECT)
    bench.change(garbled, timeout="long", created_at="yesterday", status="no status", webhooks="no JSON")
    return [*jobs, called, failing, pickled, method, garbled]


def abandon(bench: Bench) -> Job:
    """A job whose worker seems to have died: RQ's maintenance calls its failure callback."""
    job = bench.put(CHANGED_JOB, PROJECT, on_failure=Callback(STRIKE))
    bench.connection.lrem(bench.queue.key, 0, job.id)
    bench.change(job, status="started")
    bench.connection.zadd(bench.queue.started_job_registry.key, {f"{job.id}:x": time.time() - 60})
    return job


def test_none_runs_and_the_good_job_behind_them_does(bench: Bench, listener: str, eventually: Eventually) -> None:
    hostile = put_hostile(bench, listener)
    abandon(bench)
    bench.connection.rpush(bench.queue.key, "../no-id", "not-a-hash")
    bench.connection.set("rq:job:not-a-hash", "x")
    bench.jobs.changed(PROJECT)

    bench.worker.start(bench.store.workers.alive, DEADLINE_S)
    eventually(lambda: bench.store.changes.summary(PROJECT), DEADLINE_S)
    eventually(lambda: bench.jobs.lengths()[CHANGES] == 0, DEADLINE_S)

    assert not bench.mark.exists()
    assert bench.asked == []
    assert not bench.connection.exists(*(job.key for job in hostile))
    log = bench.worker.log.read_text()
    assert log.count("was removed and not run") == len(hostile)
    assert "quitting" not in log


def test_what_is_none_of_ours_does_not_count_as_waiting(bench: Bench, listener: str) -> None:
    put_hostile(bench, listener)
    bench.jobs.sync(7)

    assert bench.jobs.queued(CHANGES) == [7]


def test_a_hostile_job_in_an_old_queue_is_not_taken_over(bench: Bench) -> None:
    old = Queue("annotune-changes", connection=bench.connection, serializer="json")
    old.enqueue_call(STRIKE)
    old.enqueue_call(CHANGED_JOB, args=(7,))

    assert bench.jobs.migrate() == 1
    assert bench.jobs.queued(CHANGES) == [7]
