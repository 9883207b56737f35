"""Reconciling many projects, and odd ones among them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import redis

from annotune.runs import TrainingRequest
from annotune.store.queue import CHANGES, TRAINING, JobQueue
from annotune.store.store import Store
from trainer.reconcile import Reconciler, requeue_due, sync_all

WANTED = TrainingRequest(requested_by="a test", at=datetime(2026, 1, 1, tzinfo=UTC))
FEW, MANY = 40, 160


@pytest.mark.parametrize("act", [sync_all, requeue_due])
def test_what_redis_does_grows_with_the_number_of_projects_alone(
    store: Store, jobs: JobQueue, connection: redis.Redis, act: Callable[[Store, JobQueue], None]
) -> None:
    def commands(projects: int) -> int:
        connection.flushall()
        for project in range(projects):
            store.projects.remember(project)
            jobs.sync(project)
            store.changes.note(project)
            store.training.request(project, WANTED)
        before = connection.info("stats")["total_commands_processed"]
        act(store, jobs)
        return connection.info("stats")["total_commands_processed"] - before

    assert commands(MANY) < 1.5 * MANY / FEW * commands(FEW)


def test_a_look_that_waits_is_not_queued_again_however_long_it_waits(
    store: Store, jobs: JobQueue, connection: redis.Redis
) -> None:
    for project in range(3):
        store.projects.remember(project)
    sync_all(store, jobs)
    for project in range(3):
        store.changes.take_queued(project)  # as when it expired

    sync_all(store, jobs)
    requeue_due(store, jobs)

    assert sorted(jobs.line(CHANGES)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("changes", "list"), ("changes", "x"), ("looked", "list"), ("training", "x"), ("training", "list")],
)
def test_what_cannot_be_read_stops_no_other_project(store: Store, jobs: JobQueue, name: str, kind: str) -> None:
    for project in (4, 5):
        store.projects.remember(project)
    store.training.request(5, WANTED)
    key = store.keys.of(4, name)
    if kind == "list":
        store._redis.rpush(key, "x")
    else:
        store._redis.set(key, kind)

    Reconciler(store, jobs, reconcile_s=300).run()

    assert 5 in jobs.projects_waiting(CHANGES)
    assert 5 in jobs.projects_waiting(TRAINING)


def test_what_is_no_project_among_the_projects_is_passed_over(store: Store, jobs: JobQueue) -> None:
    store._redis.sadd(store.keys.projects, "5", "x", "")

    Reconciler(store, jobs, reconcile_s=300).run()

    assert jobs.projects_waiting(CHANGES) == {5}
