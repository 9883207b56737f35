"""A flood of webhooks while a training runs: all are acknowledged at once, and a submission costs as before."""

import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hospital import FIRST_PROMPT, TRAINING_S, Hospital, make_project
from services import Eventually

from curation.projects import labeling_config
from embedded.formulary import formulary

EVENTS, AT_ONCE, WITHIN_S = 500, 50, 60
P99_S = 0.2
SUBMITTED = 30


@pytest.fixture
def training(hospital: Hospital, eventually: Eventually) -> Iterator[None]:
    """A real training of the hospital's project, at its steps."""
    store, project = hospital.store, hospital.first.id
    hospital.deployment.run("train", str(project), "--no-wait")
    eventually(lambda: (told := store.progress(project)) and told.stage == "train" and told.step, TRAINING_S)
    yield
    hospital.deployment.worker.stop(grace_s=0)
    store.training_ended(project)
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


def send(port: int, body: bytes) -> tuple[int, float]:
    """The status of an event, and the seconds until it was acknowledged."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/webhook", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    reply.read()
    connection.close()
    return reply.status, time.monotonic() - began


@pytest.mark.usefixtures("training")
def test_five_hundred_events_are_acknowledged_within_200_ms(hospital: Hospital) -> None:
    project = hospital.first.id
    before = hospital.store.changes(project)
    event = {"action": "ANNOTATION_UPDATED", "project": {"id": project}, "annotation": {"id": 1, "result": []}}
    body = json.dumps(event).encode()
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def paced(number: int) -> tuple[int, float]:
            threading.Event().wait(max(0.0, began + number * WITHIN_S / EVENTS - time.monotonic()))
            return send(hospital.deployment.port, body)

        # In gusts: as many as AT_ONCE begin together.
        sent = list(pool.map(lambda number: paced(number - number % AT_ONCE), range(EVENTS)))
    seconds = sorted(seconds for _, seconds in sent)
    p99 = seconds[int(EVENTS * 0.99)]
    print(f"{EVENTS} events: median {statistics.median(seconds) * 1000:.0f} ms, 99th percentile {p99 * 1000:.0f} ms")

    assert {status for status, _ in sent} == {200}
    assert hospital.store.changes(project) == before + EVENTS
    assert p99 < P99_S


@pytest.mark.usefixtures("training")
def test_a_submission_costs_what_it_costs_with_a_webhook_that_does_nothing(hospital: Hospital) -> None:
    """Label Studio calls webhooks within the annotator's own request."""
    pairs = formulary(5, trained=SUBMITTED, held_out=0)
    config = labeling_config("question-answering")
    ours, bare = (make_project(hospital.client, name, config, "question", pairs) for name in ("Ours", "Bare"))
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
