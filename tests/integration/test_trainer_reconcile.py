"""Reconciliation: what was lost is queued again, with many projects, and odd ones among them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import redis
from label_studio_double import LabelStudioDouble
from trainer_doubles import REQUEST

from annotune.errors import LabelStudioError
from annotune.lease import lease
from annotune.runs import TrainingRequest
from annotune.store.queue import CHANGES, TRAINING, JobQueue
from annotune.store.store import Store
from trainer.context import TrainerContext
from trainer.jobs import sync_under_lease
from trainer.reconcile import Reconciler, requeue_due, sync_all

PROJECT = 4
QUESTIONS = 60
FEW, MANY = 40, 160


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(PROJECT, questions=QUESTIONS)
    return double


@pytest.fixture
def context(context_with: Callable[..., TrainerContext]) -> TrainerContext:
    return context_with(recipe="small", train_every=3)


def request_training(context: TrainerContext) -> bool:
    return context.store.training.request(PROJECT, TrainingRequest(requested_by="test", at=datetime.now(UTC)))


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
            store.training.request(project, REQUEST)
        before = connection.info("stats")["total_commands_processed"]
        act(store, jobs)
        return connection.info("stats")["total_commands_processed"] - before

    assert commands(MANY) < 1.5 * MANY / FEW * commands(FEW)


def test_a_sync_that_waits_is_not_queued_again_however_long_it_waits(
    store: Store, jobs: JobQueue, connection: redis.Redis
) -> None:
    for project in range(3):
        store.projects.remember(project)
    sync_all(store, jobs)
    for project in range(3):
        store.changes.take_queued(project)  # as when it expired

    sync_all(store, jobs)
    requeue_due(store, jobs)

    assert sorted(jobs.queued(CHANGES)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("changes", "list"), ("changes", "x"), ("looked", "list"), ("training", "x"), ("training", "list")],
)
def test_what_cannot_be_read_stops_no_other_project(store: Store, jobs: JobQueue, name: str, kind: str) -> None:
    for project in (4, 5):
        store.projects.remember(project)
    store.training.request(5, REQUEST)
    key = store.keys.of(4, name)
    if kind == "list":
        store._redis.rpush(key, "x")
    else:
        store._redis.set(key, kind)

    Reconciler(store, jobs, reconcile_s=300).run()

    assert 5 in jobs.queued(CHANGES)
    assert 5 in jobs.queued(TRAINING)


def test_the_only_project_that_cannot_be_read_stops_no_reconciliation(
    store: Store, jobs: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    store.projects.remember(4)
    store._redis.set(store.keys.of(4, "changes"), "x")

    sync_all(store, jobs)

    assert store.keys.of(4, "changes") in caplog.text


def test_what_is_no_project_among_the_projects_is_passed_over(store: Store, jobs: JobQueue) -> None:
    store._redis.sadd(store.keys.projects, "5", "x", "")

    Reconciler(store, jobs, reconcile_s=300).run()

    assert jobs.queued(CHANGES) == [5]


def test_a_lost_webhook_is_found(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.submit(PROJECT, 0, "one")
    context.store.projects.remember(PROJECT)

    sync_all(context.store, context.jobs)

    assert context.jobs.lengths()[CHANGES] == 1


def test_a_training_that_nobody_carries_out_is_queued_once(context: TrainerContext) -> None:
    request_training(context)

    requeue_due(context.store, context.jobs)
    requeue_due(context.store, context.jobs)

    assert context.jobs.lengths()[TRAINING] == 1


def test_a_change_whose_job_was_killed_is_queued_once(context: TrainerContext) -> None:
    context.store.changes.note(PROJECT)  # and no job

    requeue_due(context.store, context.jobs)
    requeue_due(context.store, context.jobs)

    assert context.jobs.lengths()[CHANGES] == 1


def test_a_change_that_was_synced_is_not_queued(context: TrainerContext) -> None:
    context.store.changes.note(PROJECT)
    sync_under_lease(context, PROJECT)

    requeue_due(context.store, context.jobs)

    assert context.jobs.lengths()[CHANGES] == 0


def test_a_sync_that_failed_waits_for_the_reconciliation(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.refusal = (400, {"detail": "oops"})
    context.store.changes.note(PROJECT)
    with pytest.raises(LabelStudioError):
        sync_under_lease(context, PROJECT)

    requeue_due(context.store, context.jobs)

    assert context.jobs.lengths()[CHANGES] == 0


def test_a_running_training_is_not_queued(context: TrainerContext) -> None:
    request_training(context)

    with lease(context.store, PROJECT, "training"):
        requeue_due(context.store, context.jobs)

    assert context.jobs.lengths()[TRAINING] == 0


def test_each_is_done_when_it_is_due(context: TrainerContext) -> None:
    context.store.projects.remember(PROJECT)
    now = [0.0]
    reconciler = Reconciler(context.store, context.jobs, reconcile_s=300, tick_s=10, clock=lambda: now[0])
    counted = []

    for at in (0, 299, 300, 301):
        now[0] = at
        reconciler.run()
        counted.append(context.store.changes.count(PROJECT))
        context.jobs.queue(CHANGES).empty()

    assert counted == [1, 1, 2, 2]
