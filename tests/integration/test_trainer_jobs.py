"""The two jobs under their leases: a change is synced, a requested training is carried out and recorded."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from label_studio_double import LabelStudioDouble
from trainer_doubles import REQUEST, ended_run, with_settings

from annotune.errors import LabelStudioError, TrainingCancelled, TrainingRefused
from annotune.lease import LeaseTiming, lease
from annotune.models import ModelRef
from annotune.prompt import ProjectPrompt
from annotune.runs import TrainingRequest, TrainingRun
from annotune.store.queue import CHANGES
from trainer.context import TrainerContext, trainer_context
from trainer.jobs import sync_under_lease, train_under_lease
from trainer.snapshot import examples_of, read_snapshot

PROJECT, OTHER = 4, 5
QUESTIONS = 60
SHORT = LeaseTiming(ttl_s=0.5, renew_s=0.1)


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(PROJECT, questions=QUESTIONS)
    return double


@pytest.fixture
def context(context_with: Callable[..., TrainerContext]) -> TrainerContext:
    return context_with(recipe="small", train_every=3)


@pytest.fixture(autouse=True)
def _all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def request_training(context: TrainerContext) -> bool:
    return context.store.training.request(PROJECT, TrainingRequest(requested_by="test", at=datetime.now(UTC)))


# Changes


def test_fifty_changes_wait_as_one_job(context: TrainerContext) -> None:
    for _ in range(50):
        context.jobs.changed(PROJECT)

    assert context.jobs.lengths()[CHANGES] == 1


def test_a_busy_project_is_synced_once_a_job_and_waits_behind_others(context: TrainerContext) -> None:
    synced: list[int] = []

    def see(job_context: TrainerContext, project: int) -> None:
        synced.append(project)
        assert len(synced) < 9, "this job has no end"
        job_context.store.changes.note(project)
        job_context.store.changes.take_queued(project)  # as when the job of that change found the lease taken

    context.jobs.sync(PROJECT, OTHER)
    sync_under_lease(context, PROJECT, sync_project=see)

    assert synced == [PROJECT]
    assert context.jobs.queued(CHANGES) == [PROJECT, OTHER, PROJECT]


def test_a_change_that_arrives_during_a_sync_is_synced(context: TrainerContext) -> None:
    synced: list[int] = []

    def see(job_context: TrainerContext, project: int) -> None:
        synced.append(project)
        if len(synced) == 1:
            job_context.jobs.changed(project)

    sync_under_lease(context, PROJECT, sync_project=see)

    assert context.jobs.lengths()[CHANGES] == 1
    sync_under_lease(context, PROJECT, sync_project=see)
    assert synced == [PROJECT, PROJECT]
    assert context.store.changes.synced(PROJECT) == context.store.changes.count(PROJECT)


def test_of_two_jobs_one_syncs_and_the_other_leaves_it_the_change(context: TrainerContext) -> None:
    synced: list[str] = []

    def second(_context: TrainerContext, _project: int) -> None:
        synced.append("second")

    def first(job_context: TrainerContext, project: int) -> None:
        synced.append("first")
        job_context.store.changes.note(project)
        sync_under_lease(job_context, project, sync_project=second)  # the job of that change

    sync_under_lease(context, PROJECT, sync_project=first)

    assert synced == ["first"]
    assert context.jobs.lengths()[CHANGES] == 1


def test_a_change_during_a_sync_queues_another_job(context: TrainerContext) -> None:
    context.jobs.changed(PROJECT)
    sync_under_lease(
        context, PROJECT, sync_project=lambda job_context, project: job_context.store.changes.take_queued(project)
    )

    context.jobs.changed(PROJECT)

    assert context.jobs.lengths()[CHANGES] == 2


def test_a_sync_that_failed_gives_its_lease_back(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.refusal = (400, {"detail": "oops"})

    with pytest.raises(LabelStudioError):
        sync_under_lease(context, PROJECT)

    assert not context.store.leases.held(PROJECT, "changed")


# Trainings


def test_a_run_is_saved_and_its_request_ends(context: TrainerContext) -> None:
    request_training(context)

    train_under_lease(context, PROJECT, lambda _, project, request: ended_run(project, request))

    [run] = context.store.runs.all(PROJECT)
    assert (run.state, run.requested_by) == ("promoted", "test")
    assert context.store.training.requested(PROJECT) is None
    assert not context.store.leases.held(PROJECT, "training")


def test_annotations_that_came_meanwhile_are_synced(context: TrainerContext) -> None:
    request_training(context)

    train_under_lease(context, PROJECT, lambda _, project, request: ended_run(project, request))

    assert context.jobs.lengths()[CHANGES] == 1


def test_an_annotation_submitted_in_mid_training_is_in_the_next_dataset(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    datasets: list[set[int]] = []
    late: list[int] = []

    def run_training(job_context: TrainerContext, project: int, request: TrainingRequest) -> TrainingRun:
        run = ended_run(project, request)
        snapshot = read_snapshot(job_context, project)
        annotations = {annotation.id for task in snapshot.tasks for annotation in task.annotations[-1:]}
        datasets.append(annotations)
        if not late:
            late.append(double.submit(project, 0, "late"))
        job_context.store.trained.set_tried(project, examples_of(job_context, snapshot).contents)
        return run

    double.submit_all(PROJECT)
    job_context = with_settings(context, train_every=1)
    request_training(job_context)

    train_under_lease(job_context, PROJECT, run_training)
    sync_under_lease(job_context, PROJECT)
    train_under_lease(job_context, PROJECT, run_training)

    assert late[0] not in datasets[0]
    assert late[0] in datasets[1]


def test_without_a_request_nothing_is_trained(context: TrainerContext) -> None:
    train_under_lease(context, PROJECT, never)

    assert context.store.runs.all(PROJECT) == []


def never(_context: TrainerContext, _project: int, _request: TrainingRequest) -> TrainingRun:
    pytest.fail("a training began")


def test_a_training_that_runs_elsewhere_is_not_doubled(context: TrainerContext) -> None:
    request_training(context)

    with lease(context.store, PROJECT, "training"):
        train_under_lease(context, PROJECT, never)

    assert context.store.training.requested(PROJECT) is not None


def test_of_twenty_requests_one_is_queued(context: TrainerContext) -> None:
    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(lambda _: request_training(context), range(20)))

    assert won.count(True) == 1


FAULTS = {
    "refused": (TrainingRefused("too few examples"), "refused", "too few examples"),
    "failed in our words": (
        LabelStudioError("Label Studio is away"),
        "failed",
        "Label Studio is away",
    ),
    "failed by a fault": (ZeroDivisionError("secret"), "failed", "ZeroDivisionError: the worker's log has the rest"),
}


@pytest.mark.parametrize(("error", "state", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_run_that_raises_is_recorded_and_can_be_retried_at_once(
    context: TrainerContext, error: Exception, state: str, reason: str
) -> None:
    request_training(context)

    train_under_lease(context, PROJECT, raising(error))

    [run] = context.store.runs.all(PROJECT)
    assert (run.state, run.reason) == (state, reason)
    assert request_training(context)


def raising(error: Exception) -> Callable[[TrainerContext, int, TrainingRequest], TrainingRun]:
    def run_training(_context: TrainerContext, _project: int, _request: TrainingRequest) -> TrainingRun:
        raise error

    return run_training


def test_a_run_that_was_stopped_keeps_its_request(context: TrainerContext) -> None:
    request_training(context)

    train_under_lease(context, PROJECT, raising(TrainingCancelled("stopped")))

    assert context.store.training.requested(PROJECT) is not None
    assert context.store.runs.all(PROJECT) == []


def test_a_run_that_lost_its_lease_is_told_and_not_recorded(context: TrainerContext, redis_url: str) -> None:
    request_training(context)
    other = trainer_context(context.settings).store

    def run_training(job_context: TrainerContext, project: int, request: TrainingRequest) -> TrainingRun:
        job_context.store._redis.set(job_context.store.keys.of(project, "lease:training"), "another's")
        told = threading.Event()
        while not job_context.cancelled():
            told.wait(0.02)
        return ended_run(project, request)

    train_under_lease(context, PROJECT, run_training, timing=SHORT)

    assert context.store.runs.all(PROJECT) == []
    assert other.training.requested(PROJECT) is not None
    assert other.leases.held(PROJECT, "training")


# Projects that Label Studio does not have


def test_an_invented_project_leaves_no_key_and_no_folder(context: TrainerContext) -> None:
    store = context.store
    context.jobs.changed(OTHER)
    store.training.request(OTHER, REQUEST)

    sync_under_lease(context, OTHER)

    assert store._redis.keys(store.keys.of(OTHER, "*")) == []
    assert not (context.settings.runs_dir / f"p{OTHER}").exists()
    assert store.projects.all() == []


def test_an_invented_project_is_not_trained(context: TrainerContext) -> None:
    context.store.training.request(OTHER, REQUEST)

    train_under_lease(context, OTHER, never)

    assert context.store._redis.keys(context.store.keys.of(OTHER, "*")) == []
    assert not (context.settings.runs_dir / f"p{OTHER}").exists()


def test_what_a_project_made_outlives_a_moment_in_which_label_studio_does_not_have_it(context: TrainerContext) -> None:
    store, ref = context.store, ModelRef.parse("ollama:llama3")
    store.live.swap(OTHER, None, ref)
    store.prompts.add(OTHER, ProjectPrompt(text="p", source="command", at=REQUEST.at))
    store.versions.next_number(OTHER)

    context.jobs.changed(OTHER)
    sync_under_lease(context, OTHER)

    assert store.projects.all() == []
    assert (store.live.get(OTHER), store.versions.next_number(OTHER)) == (ref, 2)
    assert [version.text for version in store.prompts.versions(OTHER)] == ["p"]
