"""`/health` and Redis show how each project's last batch ended, without any text of a task."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake_model import SIMPLE, Backend, FakeModel, MakeBackend, region, task

from annotune.errors import ModelServerError, ModelServerUnreachable
from annotune.store.reports import MAX_BATCHES, Batch
from backend.health import Health
from backend.requests import MAX_TASKS
from embedded.redis import RedisServer

AWAY = ModelServerUnreachable("the model server is not reachable: start it")
BODY = {"project": 4, "label_config": SIMPLE, "params": {"context": None}}


def last(backend: Backend) -> dict:
    told: dict = backend.get("/health").json["last_batch"]
    told.pop("at")
    return told


def test_before_any_batch_there_is_none(backend: Backend) -> None:
    assert backend.get("/health").json["last_batch"] is None


def test_a_batch_that_was_answered(backend: Backend) -> None:
    backend.predict(task(1), task(2))

    assert last(backend) == {"project": 4, "tasks": 2, "answered": 2, "reason": ""}


def test_a_batch_of_which_a_task_was_not_answered(backend: Backend) -> None:
    backend.predict(task(1), {"id": 2, "data": {"canary": "canary"}})

    assert last(backend) == {"project": 4, "tasks": 2, "answered": 1, "reason": "RequestInvalid"}
    assert "canary" not in backend.get("/health").text


def test_a_batch_of_which_nothing_was_answered(make_backend: MakeBackend) -> None:
    broken = FakeModel(broken=ModelServerError("canary"))
    backend = make_backend(default_prompt="Go", model=broken)
    backend.predict(task(1), task(2), task(3))

    assert last(backend) == {"project": 4, "tasks": 3, "answered": 0, "reason": "ModelServerError"}
    assert "canary" not in backend.get("/health").text


def test_a_selection_that_was_too_large_to_be_read(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Go", max_body_mb=0.001)
    backend.send("/predict", BODY | {"tasks": [task(n) for n in range(100)]})

    assert last(backend) == {"project": None, "tasks": None, "answered": 0, "reason": "BodyTooLarge"}


def test_a_task_that_is_opened_and_a_person_who_asks_are_no_batches(backend: Backend) -> None:
    backend.predict(task(1), task(2))
    backend.predict(task(3))
    backend.predict(task(4), editor=[region("prompt", "Explain")])

    assert last(backend)["tasks"] == 2


def outcomes(backend: Backend) -> list[tuple[int, int, int, str]]:
    """Project, tasks, answered and reason of each project's last batch in `/health`."""
    told = backend.get("/health").json["batches"]
    return [(each["project"], each["tasks"], each["answered"], each["reason"]) for each in told]


def batch_in(backend: Backend, project: int, *tasks: dict, config: str = SIMPLE) -> None:
    backend.send("/predict", BODY | {"project": project, "tasks": tasks, "label_config": config})


def look(backend: Backend) -> None:
    health: Health = backend.app.extensions["health"]
    health.check()


def test_each_project_has_its_own_newest_first(backend: Backend) -> None:
    batch_in(backend, 5, task(1), task(2))
    batch_in(backend, 6, task(1), {"id": 2, "data": {}})
    batch_in(backend, 5, task(1), task(2), task(3))

    assert outcomes(backend) == [(5, 3, 3, ""), (6, 2, 1, "RequestInvalid")]


def test_redis_keeps_the_reason_and_other_processes_tell_of_it(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Go", model=FakeModel(broken=AWAY))
    backend.store.projects.remember(4)
    backend.predict(task(1), task(2), task(3))
    other = make_backend()
    look(other)

    kept = backend.store.reports.batch(4)
    assert kept is not None
    assert (kept.tasks, kept.answered, kept.kind, kept.reason) == (3, 0, "ModelServerUnreachable", str(AWAY))
    assert outcomes(other) == [(4, 3, 0, "ModelServerUnreachable")]


def test_the_log_has_one_line_for_each_batch(make_backend: MakeBackend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="backend")
    backend = make_backend(default_prompt="Go")
    backend.predict(task(1, "canary"), task(2, "canary"))
    backend.predict(task(1, "canary"), {"id": 2, "data": {}}, {"id": 3, "data": {}})

    told = [record for record in caplog.records if "batch" in record.message]
    assert [record.levelname for record in told] == ["INFO", "WARNING"]
    assert told[0].message.startswith("project 4: batch, all of 2 tasks answered")
    assert told[1].message.startswith("project 4: batch, 1 of 3 tasks answered")
    assert "'question'" in told[1].message
    assert "canary" not in caplog.text


REFUSED = {
    "no prompt": ({}, [task(1), task(2)], "PromptMissing"),
    "a field that is wrong": ({"default_prompt": "Go"}, [task(1), {"id": "two"}], "BodyInvalid"),
    "too many tasks": ({"default_prompt": "Go"}, [{}] * (MAX_TASKS + 1), "BodyInvalid"),
}


@pytest.mark.parametrize(("settings", "tasks", "kind"), REFUSED.values(), ids=REFUSED.keys())
def test_a_request_that_is_refused_is_a_batch_that_answered_nothing(
    make_backend: MakeBackend, settings: dict[str, str], tasks: list[dict], kind: str
) -> None:
    backend = make_backend(**settings)
    batch_in(backend, 4, *tasks)

    assert outcomes(backend) == [(4, len(tasks), 0, kind)]
    assert backend.store.reports.batch(4).tasks == len(tasks)


def test_a_busy_backend_answered_nothing(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Go", threads=1)
    inner = Backend(backend.app, backend.model, backend.store, backend.jobs)
    backend.model.say = lambda _request: str(batch_in(inner, 5, task(1), task(2)))
    batch_in(backend, 4, task(1))

    assert outcomes(backend) == [(5, 2, 0, "ModelServerBusy")]


def test_every_task_has_a_result_or_label_studio_would_drop_all(backend: Backend) -> None:
    reply = backend.predict(task(1), {"id": 2, "data": {}}, task(3))

    assert ["result" in each for each in reply.json["results"]] == [True, False, True]


def test_while_redis_is_away_the_outcome_waits_and_no_request_fails(make_backend: MakeBackend, tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis")
    with server:
        backend = make_backend(url=server.url, default_prompt="Go")
        backend.send("/setup", {"project": 4, "schema": SIMPLE})
        server.stop()
        assert backend.predict(task(1), task(2)).status_code == 200
        assert backend.predict(task(1), task(2), task(3)).status_code == 200
        assert outcomes(backend) == [(4, 3, 3, "")]

        server.start()
        look(backend)

        assert backend.store.reports.batch(4).tasks == 3


def test_an_older_outcome_that_waited_replaces_no_newer_one(backend: Backend) -> None:
    def batch(minute: int) -> Batch:
        return Batch(at=datetime(2026, 11, 26, 14, minute, tzinfo=UTC), project=4, tasks=minute, answered=0)

    backend.store.reports.save_batch(batch(9))
    backend.store.reports.save_batch(batch(2))

    assert backend.store.reports.batch(4) == batch(9)


def test_a_forgotten_projects_outcome_goes_with_it(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Go")
    backend.store.projects.remember(4)
    backend.predict(task(1), task(2))
    look(backend)
    backend.store.projects.forget(4)
    look(backend)

    assert backend.store.reports.batch(4) is None
    assert outcomes(backend) == []


def test_an_unreadable_outcome_costs_no_other(make_backend: MakeBackend, redis_url: str) -> None:
    backend = make_backend(default_prompt="Go")
    backend.store.projects.remember(4, 5)
    batch_in(backend, 5, task(1), task(2))
    backend.store._redis.set(backend.store.keys.of(4, "batch"), "no JSON")
    other = make_backend()
    look(other)

    assert outcomes(other) == [(5, 2, 2, "")]
    batch_in(backend, 4, task(1), task(2))
    assert backend.store.reports.batch(4).answered == 2


def test_of_many_projects_the_newest_are_told(backend: Backend) -> None:
    projects = range(1, MAX_BATCHES + 21)
    backend.store.projects.remember(*projects)
    for project in projects:
        batch_in(backend, project, task(1), task(2))
    look(backend)

    assert [project for project, *_ in outcomes(backend)] == list(projects)[: -MAX_BATCHES - 1 : -1]
