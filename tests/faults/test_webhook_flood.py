"""A flood of webhooks while a training runs: all are acknowledged at once, and a submission costs as before."""

import asyncio
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hospital import FIRST_PROMPT, TRAINING_S, Hospital, make_project
from services import Eventually

from curation.templates import find_template
from embedded.formulary import formulary

EVENTS, AT_ONCE, WITHIN_S = 500, 50, 60
P99_S = 0.2
SUBMITTED = 30


@pytest.fixture
def training(hospital: Hospital, eventually: Eventually) -> Iterator[None]:
    """A real training of the hospital's project, at its steps."""
    store, project = hospital.store, hospital.first.id
    hospital.deployment.run("train", str(project), "--no-wait")
    eventually(lambda: (told := store.training.progress(project)) and told.stage == "train" and told.step, TRAINING_S)
    yield
    hospital.deployment.worker.stop(grace_s=0)
    store.training.end(project)
    hospital.deployment.start_worker()


@contextmanager
def sink() -> Iterator[str]:
    """The URL of a webhook that is acknowledged without a thought."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/webhook"
    server.shutdown()
    server.server_close()
    thread.join()


async def send(port: int, body: bytes) -> tuple[int, float]:
    """The status of an event on a connection of its own, and the seconds until it was acknowledged."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    status = (await reader.readline()).split()[1]
    await reader.read()
    seconds = time.monotonic() - began
    writer.close()
    return int(status), seconds


async def flood(port: int, body: bytes) -> list[tuple[int, float]]:
    """All events: so many at once, again and again, whether or not those before are acknowledged."""

    async def gust(number: int) -> list[tuple[int, float]]:
        await asyncio.sleep(number * WITHIN_S * AT_ONCE / EVENTS)
        return await asyncio.gather(*(send(port, body) for _ in range(AT_ONCE)))

    gusts = await asyncio.gather(*(gust(number) for number in range(EVENTS // AT_ONCE)))
    return [sent for each in gusts for sent in each]


@pytest.mark.usefixtures("training")
def test_five_hundred_events_are_acknowledged_within_200_ms(hospital: Hospital) -> None:
    project = hospital.first.id
    before = hospital.store.changes.count(project)
    event = {"action": "ANNOTATION_UPDATED", "project": {"id": project}, "annotation": {"id": 1, "result": []}}
    sent = asyncio.run(flood(hospital.deployment.port, json.dumps(event).encode()))
    seconds = sorted(seconds for _, seconds in sent)
    p99 = seconds[int(EVENTS * 0.99)]
    print(f"{EVENTS} events: median {statistics.median(seconds) * 1000:.0f} ms, 99th percentile {p99 * 1000:.0f} ms")

    assert {status for status, _ in sent} == {200}
    assert hospital.store.changes.count(project) >= before + EVENTS
    assert p99 < P99_S


@pytest.mark.usefixtures("training")
def test_a_submission_costs_what_it_costs_with_a_webhook_that_does_nothing(hospital: Hospital) -> None:
    """Label Studio calls webhooks within the annotator's own request."""
    pairs = formulary(5, SUBMITTED)
    config = find_template("question-answering").config
    ours, bare = (make_project(hospital.label_studio, name, config, "question", pairs) for name in ("Ours", "Bare"))
    hospital.deployment.run("connect", str(ours.id))
    with sink() as url:
        hospital.client.webhooks.create(project=bare.id, url=url, send_payload=True, send_for_all_actions=True)
        seconds: dict[int, list[float]] = {ours.id: [], bare.id: []}
        for number, pair in enumerate(pairs):
            for project in (ours, bare) if number % 2 else (bare, ours):
                result = [
                    {"id": name, "from_name": name, "to_name": "chat", "type": "textarea", "value": {"text": [text]}}
                    for name, text in (("prompt", FIRST_PROMPT), ("response", pair.answer))
                ]
                began = time.monotonic()
                hospital.client.annotations.create(id=project.tasks[number], result=result)
                seconds[project.id].append(time.monotonic() - began)
    with_ours, with_bare = (statistics.median(seconds[project.id]) for project in (ours, bare))
    print(
        f"a submission: {with_ours * 1000:.0f} ms with our webhook, {with_bare * 1000:.0f} ms with one that does nothing"
    )

    assert with_ours < 1.1 * with_bare
