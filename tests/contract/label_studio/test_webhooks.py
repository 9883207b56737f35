"""The effects of events, and who may send them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from fake_model import SIMPLE, Backend, MakeBackend, basic, region, task

from annotune.prompt import ProjectPrompt
from annotune.runs import SyncSummary
from annotune.store.queue import CHANGES, TRAINING
from annotune.store.workers import Check, WorkerReport

PROJECT = {"id": 4, "label_config": SIMPLE, "token": "a-secret-of-the-project"}
LATER = "2026-11-22T15:01:44.321299Z"


def submitted(prompt: str | None, action: str = "ANNOTATION_CREATED", **more: object) -> dict[str, Any]:
    result = [region("response", "fine")] + ([region("prompt", prompt)] if prompt else [])
    annotation = {"id": 12, "task": 1, "result": result, "updated_at": LATER, "prediction": {}, **more}
    return {"action": action, "annotation": annotation, "project": PROJECT}


def prompt_of(backend: Backend) -> str | None:
    known = backend.store.prompts.used(4)
    return known.text if known else None


def test_start_training_is_told_how_many_annotations_are_missing(backend: Backend) -> None:
    first = backend.replay("webhook-START_TRAINING").json
    project = backend.store.projects.all()[0]
    lacks = "it takes 25 usable annotations (MIN_EXAMPLES + 5), and there are 18: submit 7 more"
    tally = SyncSummary(usable=18, new=18, left_out={}, kinds={}, at=datetime(2026, 1, 1, tzinfo=UTC), lacks=lacks)
    backend.store.changes.set_summary(project, tally)
    backend.store.training.end(project)

    second = backend.replay("webhook-START_TRAINING").json

    assert (first["queued"], second["queued"]) == (True, True)
    assert first["message"] == f"project {project} will be trained"
    assert second["message"] == f"project {project} will be trained; at the last sync with Label Studio: {lacks}"


def test_fifty_equal_events_queue_one_look_and_count_fifty_changes(backend: Backend) -> None:
    for _ in range(50):
        assert backend.replay("webhook-ANNOTATION_CREATED").status_code == 200

    assert backend.jobs.lengths() == {CHANGES: 1, TRAINING: 0}
    assert backend.store.changes.count(4) == 50


def test_start_training_fifty_times_is_one_run(backend: Backend) -> None:
    queued = [backend.replay("webhook-START_TRAINING").json["queued"] for _ in range(50)]

    assert queued == [True] + [False] * 49
    assert backend.jobs.lengths()[TRAINING] == 1
    assert backend.store.training.requested(4).requested_by == "Label Studio"


def test_start_training_is_told_at_once_that_the_worker_cannot_train(backend: Backend) -> None:
    trainer = Check(ok=False, detail="TRAINER_PYTHON='x' is no Python interpreter")
    backend.store.workers.heartbeat(60)
    backend.store.workers.report(WorkerReport(trainer=trainer), 60)

    answer = backend.replay("webhook-START_TRAINING").json

    assert answer["queued"] is False
    assert answer["message"] == "the worker cannot train: TRAINER_PYTHON='x' is no Python interpreter"
    assert backend.store.training.requested(4) is None


@pytest.mark.parametrize(
    "action",
    ["ANNOTATION_DELETED", "ANNOTATIONS_DELETED", "ANNOTATIONS_CREATED", "TASKS_CREATED", "PROJECT_UPDATED"],
)
def test_every_spelling_of_a_change_is_one(backend: Backend, action: str) -> None:
    assert backend.send("/webhook", {"action": action, "project": PROJECT}).json["queued"] is True
    assert backend.store.changes.count(4) == 1


@pytest.mark.parametrize("body", [{"action": "SOMETHING_NEW", "project": PROJECT}, {"action": "ANNOTATION_CREATED"}])
def test_what_is_unknown_or_without_payload_is_acknowledged(backend: Backend, body: dict) -> None:
    reply = backend.send("/webhook", body)

    assert (reply.status_code, reply.json["queued"]) == (200, False)


def test_a_body_of_15_megabytes_is_acknowledged(backend: Backend) -> None:
    body = {"action": "START_TRAINING", "project": PROJECT, "annotations": ["x" * 1_000_000] * 15}

    assert backend.send("/webhook", body).json["queued"] is True


def test_without_a_key_the_prompt_is_the_events_own(backend: Backend) -> None:
    backend.send("/webhook", submitted("Explain {question}"))

    assert backend.store.prompts.used(4).text == "Explain {question}"
    assert backend.store.prompts.used(4).source == "annotation 12"


def test_a_list_of_annotations_is_read_too(backend: Backend) -> None:
    event = submitted("Explain", "ANNOTATIONS_CREATED")
    backend.send("/webhook", event | {"annotation": [event["annotation"]]})

    assert prompt_of(backend) == "Explain"


def test_with_a_key_an_event_is_a_hint_only(make_backend: MakeBackend) -> None:
    backend = make_backend(label_studio_api_key="made-up", label_studio_url="http://label-studio:8080")
    backend.send("/webhook", submitted("Explain"))

    assert prompt_of(backend) is None
    assert backend.store.changes.count(4) == 1


@pytest.mark.parametrize(
    "event",
    [
        submitted("Explain", was_cancelled=True),
        submitted(None),
        submitted("  "),
        submitted("Explain", "ANNOTATION_DELETED"),
        submitted("Explain", result=None),
        submitted("Explain", prediction={"result": [region("prompt", "Explain")]}),
        submitted("Explain") | {"project": PROJECT | {"label_config": "<View>"}},
        submitted("Explain") | {"project": {"id": 4}},
    ],
    ids=["skipped", "no prompt", "blank", "deleted", "no result", "came along", "broken config", "no config"],
)
def test_what_brings_no_prompt_of_its_own_changes_none(backend: Backend, event: dict) -> None:
    assert backend.send("/webhook", event).status_code == 200
    assert prompt_of(backend) is None


def test_a_prompt_that_came_with_its_prediction_does_not_turn_the_project_back(backend: Backend) -> None:
    backend.predict(task())
    now = ProjectPrompt(text="Newer", source="command", at=datetime(2026, 1, 1, tzinfo=UTC))
    backend.store.prompts.add(4, now)
    backend.send("/webhook", submitted("Answer briefly", parent_prediction=51))

    assert prompt_of(backend) == "Newer"


def test_a_prompt_typed_over_a_prediction_becomes_the_projects(backend: Backend) -> None:
    backend.predict(task())
    backend.predict(task(), editor=[region("prompt", "Typed")])
    backend.send("/webhook", submitted("Typed", parent_prediction=51))

    assert prompt_of(backend) == "Typed"


def test_an_older_annotation_does_not_undo_a_newer_prompt(backend: Backend) -> None:
    backend.store.prompts.add(4, ProjectPrompt(text="Newer", source="command", at=datetime(2027, 1, 1, tzinfo=UTC)))
    backend.send("/webhook", submitted("Older"))

    assert prompt_of(backend) == "Newer"


def test_a_corrected_answer_does_not_turn_the_prompt_back(backend: Backend) -> None:
    told = []
    for number, (text, action, day) in enumerate(
        [
            ("First", "ANNOTATION_CREATED", 1),
            ("Second", "ANNOTATION_CREATED", 2),
            ("First", "ANNOTATION_UPDATED", 3),
            ("Third", "ANNOTATION_UPDATED", 4),
            ("Second", "ANNOTATION_UPDATED", 5),
            ("First", "ANNOTATION_CREATED", 6),
        ]
    ):
        event = submitted(text, action, updated_at=f"2027-01-0{day}T12:00:00Z", id=number)
        backend.send("/webhook", event)
        told.append(prompt_of(backend))

    assert told == ["First", "Second", "Second", "Third", "Third", "First"]


def test_a_time_without_a_zone_is_utc(backend: Backend) -> None:
    backend.store.prompts.add(4, ProjectPrompt(text="Older", source="command", at=datetime(2026, 1, 1, tzinfo=UTC)))
    backend.send("/webhook", submitted("Newer", updated_at="2026-11-22T15:01:44"))

    assert prompt_of(backend) == "Newer"


SECRET, AUTH = {"webhook_secret": "s3cret-ü"}, {"basic_auth_user": "ls", "basic_auth_pass": "pässword"}
RIGHT_SECRET = {"X-Annotune-Secret": "s3cret-ü".encode().decode("latin-1")}
RIGHT_AUTH = {"Authorization": basic("ls", "pässword")}


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {}, 200),
        (SECRET, RIGHT_SECRET, 200),
        (SECRET, {"X-Annotune-Secret": "s3cret-ü"}, 200),
        (SECRET, {}, 401),
        (SECRET, {"X-Annotune-Secret": "wrong"}, 401),
        (SECRET, {"X-Annotune-Secret": "schlüssel"}, 401),
        (AUTH, RIGHT_AUTH, 200),
        (AUTH, {}, 401),
        (SECRET | AUTH, RIGHT_AUTH, 200),
        (SECRET | AUTH, RIGHT_SECRET, 200),
        (SECRET | AUTH, {"Authorization": "Bearer s3cret"}, 401),
        (AUTH, {"Authorization": "Basic"}, 401),
        (AUTH, {"Authorization": "Basic ü"}, 401),
        (AUTH, {"Authorization": "Basic !!!"}, 401),
        (AUTH, {"Authorization": basic("ls", "wrong")}, 401),
    ],
)
def test_either_the_secret_or_the_basic_auth_opens_the_webhook(
    make_backend: MakeBackend, settings: dict, headers: dict, status: int
) -> None:
    backend = make_backend(**settings)
    reply = backend.send("/webhook", {"action": "TASKS_CREATED", "project": {"id": 4}}, **headers)

    assert reply.status_code == status
    assert reply.is_json
    assert backend.store.changes.count(4) == (status == 200)


@pytest.mark.parametrize("path", ["/setup", "/predict", "/versions"])
def test_the_other_routes_ask_for_basic_auth_and_no_secret_opens_them(make_backend: MakeBackend, path: str) -> None:
    backend = make_backend(**SECRET, **AUTH)
    ask = backend.get if path == "/versions" else backend.send

    assert ask(path, **RIGHT_SECRET).status_code == 401
    assert ask(path, **RIGHT_AUTH).status_code in {200, 400}


@pytest.mark.parametrize("path", ["/", "/health"])
def test_health_is_never_behind_auth(make_backend: MakeBackend, path: str) -> None:
    assert make_backend(**AUTH).get(path).status_code == 200
