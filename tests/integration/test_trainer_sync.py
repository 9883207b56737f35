"""From a change in Label Studio to a training that is wanted, carried out and remembered, on a real Redis."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from label_studio_double import LabelStudioDouble, region

from annotune.answer import Answer
from annotune.errors import LabelStudioError, TrainingCancelled, TrainingRefused
from annotune.lease import LeaseTiming, lease
from annotune.models import ModelRef
from annotune.prompt import ProjectPrompt
from annotune.runs import SyncSummary, TrainingRequest, TrainingRun
from annotune.store.projects import FORGOTTEN_S
from annotune.store.queue import CHANGES, TRAINING
from trainer.context import TrainerContext, trainer_context
from trainer.jobs import sync_under_lease, train_under_lease
from trainer.reconcile import Reconciler, requeue_due, sync_all
from trainer.snapshot import current_examples, examples_of, read_snapshot
from trainer.sync import sync

PROJECT = 4
OTHER = 5
WANTED = TrainingRequest(requested_by="a test", at=datetime(2026, 1, 1, tzinfo=UTC))
QUESTIONS = 60
SHORT = LeaseTiming(ttl_s=0.5, renew_s=0.1)


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(PROJECT, questions=QUESTIONS)
    return double


@pytest.fixture
def context(context_with: Callable[..., TrainerContext]) -> TrainerContext:
    return context_with(recipe="small", train_every=3)


def set_to(context: TrainerContext, **changed: Any) -> TrainerContext:
    return replace(context, settings=context.settings.model_copy(update=changed))


def ended(project: int, request: TrainingRequest, state: str = "promoted") -> TrainingRun:
    now = datetime.now(UTC)
    fields = {"id": f"{now.timestamp()}", "project": project, "number": 1, "state": state, "started_at": now}
    return TrainingRun.model_validate({**fields, "ended_at": now, "requested_by": request.requested_by})


def want(context: TrainerContext) -> bool:
    return context.store.training.request(PROJECT, TrainingRequest(requested_by="test", at=datetime.now(UTC)))


# Changes


def test_fifty_changes_wait_as_one_job(context: TrainerContext) -> None:
    for _ in range(50):
        context.jobs.changed(PROJECT)

    assert context.jobs.waiting()[CHANGES] == 1


def test_a_busy_project_is_looked_at_once_a_job_and_waits_behind_others(context: TrainerContext) -> None:
    looks: list[int] = []

    def see(shop: TrainerContext, project: int) -> None:
        looks.append(project)
        assert len(looks) < 9, "this job has no end"
        shop.store.changes.note(project)
        shop.store.changes.take_queued(project)  # as when the job of that change found the lease taken

    context.jobs.sync(PROJECT, OTHER)
    sync_under_lease(context, PROJECT, sync_project=see)

    assert looks == [PROJECT]
    assert context.jobs.line(CHANGES) == [PROJECT, OTHER, PROJECT]


def test_a_change_that_arrives_during_a_look_is_looked_at(context: TrainerContext) -> None:
    looks: list[int] = []

    def see(shop: TrainerContext, project: int) -> None:
        looks.append(project)
        if len(looks) == 1:
            shop.jobs.changed(project)

    sync_under_lease(context, PROJECT, sync_project=see)

    assert context.jobs.waiting()[CHANGES] == 1
    sync_under_lease(context, PROJECT, sync_project=see)
    assert looks == [PROJECT, PROJECT]
    assert context.store.changes.synced(PROJECT) == context.store.changes.count(PROJECT)


def test_of_two_jobs_one_looks_and_the_other_leaves_it_the_change(context: TrainerContext) -> None:
    looks: list[str] = []

    def second(_shop: TrainerContext, _project: int) -> None:
        looks.append("second")

    def first(shop: TrainerContext, project: int) -> None:
        looks.append("first")
        shop.store.changes.note(project)
        sync_under_lease(shop, project, sync_project=second)  # the job of that change

    sync_under_lease(context, PROJECT, sync_project=first)

    assert looks == ["first"]
    assert context.jobs.waiting()[CHANGES] == 1


def test_a_change_during_a_look_queues_another_job(context: TrainerContext) -> None:
    context.jobs.changed(PROJECT)
    sync_under_lease(context, PROJECT, sync_project=lambda shop, project: shop.store.changes.take_queued(project))

    context.jobs.changed(PROJECT)

    assert context.jobs.waiting()[CHANGES] == 2


def test_a_look_that_failed_gives_its_lease_back(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.refusal = (400, {"detail": "oops"})

    with pytest.raises(LabelStudioError):
        sync_under_lease(context, PROJECT)

    assert not context.store.leases.held(PROJECT, "changed")


# A look


def test_a_look_counts_what_is_usable_new_and_left_out(context: TrainerContext, double: LabelStudioDouble) -> None:
    known = double.submit(PROJECT, 0, "one")
    double.submit(PROJECT, 1, "two")
    double.submit(PROJECT, 2, "", skipped=True)
    read_before(context, [known])
    context.store.answers.add([answer_to(PROJECT * 1000 + 1, "before")], kept_s=0)

    sync(context, PROJECT)

    tally = context.store.changes.summary(PROJECT)
    assert tally is not None
    assert (tally.usable, tally.new, tally.left_out) == (2, 1, {"skipped": 1})
    assert tally.kinds == {"typed": 1, "corrected": 1}


def read_before(context: TrainerContext, annotations: list[int]) -> None:
    """As a version of Annotune left it that kept the ids of what it had trained on, and no more."""
    context.store._redis.sadd(context.store.keys.of(PROJECT, "dataset"), *annotations)


def tallied(context: TrainerContext) -> SyncSummary:
    sync(context, PROJECT)
    tally = context.store.changes.summary(PROJECT)
    assert tally is not None
    return tally


def annotations_of(double: LabelStudioDouble) -> list[dict[str, Any]]:
    return [annotation for task in double.projects[PROJECT] for annotation in task["annotations"]]


def correct(annotation: dict[str, Any], text: str) -> None:
    annotation["result"] = [annotation["result"][0], region("response", text)]
    annotation["updated_at"] = datetime.now(UTC).isoformat()


ODD_PREDICTIONS: list[object] = [
    {"id": 9, "result": {}},
    {"id": 9, "result": [None]},
    {"id": 9, "result": "x", "created_at": None},
    {"id": 9, "model_version": 7},
    {"id": None},
    None,
]
ODD_TASKS: dict[str, dict[str, Any]] = {
    "no data": {"data": None},
    "a list of data": {"data": [1]},
    "no list of annotations": {"annotations": "x"},
    "no annotation": {"annotations": [None]},
    "no time": {"annotations": [{"id": 7, "result": [], "created_at": None, "updated_at": None}]},
    "no regions": {
        "annotations": [{"id": 7, "result": [None], "created_at": "2026-11-23T12:00:00", "updated_at": None}]
    },
}


@pytest.mark.parametrize("odd", ODD_PREDICTIONS, ids=str)
def test_an_odd_prediction_costs_no_annotation(
    context: TrainerContext, double: LabelStudioDouble, odd: object, caplog: pytest.LogCaptureFixture
) -> None:
    double.submit(PROJECT, 0, "one", prompt="Its own.")
    double.submit(PROJECT, 1, "two", prompt="Answer in one word.")
    double.projects[PROJECT][1]["annotations"][0]["parent_prediction"] = 9
    double.projects[PROJECT][1]["predictions"].append(odd)

    tally = tallied(context)

    assert (tally.usable, tally.left_out) == (2, {})
    prompt = context.store.prompts.used(PROJECT)
    assert prompt is not None
    if isinstance(odd, dict) and odd["id"]:  # it may have brought the prompt, which is nobody's choice then
        assert prompt.text == "Its own."
        assert f"the unreadable parts of these tasks are left out: {PROJECT * 1000 + 1}" in caplog.text
    assert "LABEL_STUDIO_URL" not in caplog.text


@pytest.mark.parametrize("odd", ODD_TASKS.values(), ids=ODD_TASKS)
def test_an_odd_task_is_left_out_and_counted(
    context: TrainerContext, double: LabelStudioDouble, odd: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    double.submit(PROJECT, 0, "one")
    double.submit(PROJECT, 1, "two")
    double.projects[PROJECT][1] |= odd

    tally = tallied(context)

    assert (tally.usable, tally.left_out) == (1, {"unreadable": 1})
    assert str(PROJECT * 1000 + 1) in caplog.text


def test_a_task_without_an_id_is_left_out(
    context: TrainerContext, double: LabelStudioDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.submit(PROJECT, 0, "one")
    double.submit(PROJECT, 1, "two")
    double.projects[PROJECT][1]["id"] = None

    assert tallied(context).usable == 1
    assert f"project {PROJECT}: 1 tasks have no id" in caplog.text


def test_odd_markup_and_half_letters_are_learnt_from(context: TrainerContext, double: LabelStudioDouble) -> None:
    config = double.configs[PROJECT].replace("<Text ", "<HyperText ")
    double.add_project(PROJECT, 2, config)
    double.projects[PROJECT][0]["data"]["question"] = "<p>ok</p><![foo[bar]]>"
    double.projects[PROJECT][1]["data"]["question"] = "half \ud83d of a pair"
    double.submit(PROJECT, 0, "one")
    double.submit(PROJECT, 1, "two", prompt="Half \ud83d of a pair.")

    assert (tallied(context).usable, tallied(context).left_out) == (2, {})
    prompt = context.store.prompts.used(PROJECT)
    assert prompt is not None
    assert prompt.text == "Half \ufffd of a pair."


def test_corrections_of_what_was_tried_are_new(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.submit_all(PROJECT)
    contents = current_examples(context, PROJECT).contents
    context.store.trained.set_tried(PROJECT, contents)
    context.store.trained.add_learnt(PROJECT, contents)
    before = tallied(context)
    for annotation in annotations_of(double)[:5]:
        correct(annotation, "CORRECTED")
    for annotation in annotations_of(double)[5:10]:  # touched, and the same as before
        annotation["updated_at"] = datetime.now(UTC).isoformat()

    after = tallied(context)

    assert (before.new, before.unlearnt) == (0, 0)
    assert (after.usable, after.new, after.unlearnt) == (QUESTIONS, 5, 5)
    assert context.store.training.requested(PROJECT) is not None


def test_what_is_deleted_is_not_new_and_what_it_had_replaced_is(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    double.submit(PROJECT, 0, "one")
    double.submit(PROJECT, 0, "better")
    double.submit(PROJECT, 1, "two")
    context.store.trained.set_tried(PROJECT, current_examples(context, PROJECT).contents)
    double.projects[PROJECT][1]["annotations"].clear()
    gone = tallied(context)
    double.projects[PROJECT][0]["annotations"].pop()

    assert (gone.usable, gone.new) == (1, 0)
    assert tallied(context).new == 1


def test_another_system_prompt_is_nobodys_correction(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.submit_all(PROJECT)
    context.store.trained.set_tried(PROJECT, current_examples(context, PROJECT).contents)
    context.store.prompts.set_system(PROJECT, "Be brief.")

    assert tallied(context).new == 0


def test_an_upgrade_makes_nothing_new_at_once(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.submit_all(PROJECT)
    annotations = annotations_of(double)
    ids = [annotation["id"] for annotation in annotations]
    read_before(context, ids[:-2])
    run = ended(PROJECT, TrainingRequest(requested_by="x", at=datetime.now(UTC)))
    context.store.runs.save(run.model_copy(update={"annotations": tuple(ids[:-4])}))
    first = tallied(context)
    for annotation in annotations[:3]:
        correct(annotation, "CORRECTED")
    second = tallied(context)

    assert (first.new, first.unlearnt) == (2, 4)
    assert (second.new, second.unlearnt) == (5, 7)


def answer_to(task: int, text: str) -> Answer:
    before = datetime.now(UTC) - timedelta(seconds=1)
    fields = {"prompt": "Answer.", "prompt_sha": "0", "text": text, "model_version": "m@1", "at": before}
    return Answer.model_validate({"project": PROJECT, "task": task, **fields})


def test_a_submitted_prompt_becomes_the_projects(context: TrainerContext, double: LabelStudioDouble) -> None:
    number = double.submit(PROJECT, 0, "one", prompt="Answer in one word.")

    sync(context, PROJECT)

    prompt = context.store.prompts.used(PROJECT)
    assert prompt is not None
    assert (prompt.text, prompt.source) == ("Answer in one word.", f"annotation {number}")


@pytest.mark.parametrize(("age_s", "kept"), [(60, "Submitted."), (-60, "By command.")], ids=["older", "newer"])
def test_a_prompt_set_by_command_yields_only_to_a_later_annotation(
    context: TrainerContext, double: LabelStudioDouble, age_s: float, kept: str
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    context.store.prompts.add(PROJECT, ProjectPrompt(text="By command.", source="command", at=at))
    double.submit(PROJECT, 0, "one", prompt="Submitted.")

    sync(context, PROJECT)

    prompt = context.store.prompts.used(PROJECT)
    assert prompt is not None
    assert prompt.text == kept


def test_the_prompt_of_an_accepted_prediction_changes_nothing(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    double.submit(PROJECT, 0, "one", prompt="The model's.")
    [annotation] = double.projects[PROJECT][0]["annotations"]
    annotation["parent_prediction"] = 9
    double.projects[PROJECT][0]["predictions"].append(
        {
            "id": 9,
            "result": [region("prompt", "The model's."), region("response", "one")],
            "model_version": "m@1",
            "created_at": "2026-11-23T12:00:00Z",
        }
    )

    sync(context, PROJECT)

    assert context.store.prompts.used(PROJECT) is None


def test_enough_new_annotations_ask_for_one_training(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.submit_all(PROJECT)

    sync(context, PROJECT)
    sync(context, PROJECT)

    request = context.store.training.requested(PROJECT)
    assert request is not None
    assert request.requested_by == "TRAIN_EVERY"
    assert context.jobs.waiting()[TRAINING] == 1


NOT_ASKED: dict[str, dict[str, Any]] = {
    "TRAIN_EVERY is off": {"train_every": 0},
    "there is no recipe": {"recipe": None},
    "fewer are new": {"train_every": QUESTIONS + 1},
    "it would be refused": {"min_examples": QUESTIONS},
}


@pytest.mark.parametrize("changed", NOT_ASKED.values(), ids=NOT_ASKED.keys())
def test_no_training_is_asked_for_where(
    context: TrainerContext, double: LabelStudioDouble, changed: dict[str, Any]
) -> None:
    double.submit_all(PROJECT)

    sync(set_to(context, **changed), PROJECT)

    assert context.store.training.requested(PROJECT) is None


def test_what_broke_off_before_its_training_is_tried_again_after_a_new_annotation(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    double.submit_all(PROJECT)
    context.store.runs.save(ended(PROJECT, TrainingRequest(requested_by="x", at=datetime.now(UTC)), "failed"))

    sync(context, PROJECT)
    before = context.store.training.requested(PROJECT)
    double.submit(PROJECT, 0, "another")
    sync(context, PROJECT)

    assert before is None
    assert context.store.training.requested(PROJECT) is not None


def test_what_was_tried_and_refused_is_tried_again_only_after_enough_new_annotations(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    double.submit_all(PROJECT)
    context.store.trained.set_tried(PROJECT, current_examples(context, PROJECT).contents)
    run = ended(PROJECT, TrainingRequest(requested_by="x", at=datetime.now(UTC)), "refused")
    context.store.runs.save(run.model_copy(update={"stages_s": {"train": 1.0}}))
    asked = []
    for number in range(3):
        double.submit(PROJECT, number, "another")
        tally = tallied(context)
        asked.append((tally.new, tally.unlearnt, context.store.training.requested(PROJECT) is not None))

    assert asked == [(1, QUESTIONS, False), (2, QUESTIONS, False), (3, QUESTIONS, True)]


def prompt_now(context: TrainerContext) -> str:
    sync(context, PROJECT)
    prompt = context.store.prompts.used(PROJECT)
    assert prompt is not None
    return prompt.text


def test_a_corrected_answer_does_not_turn_the_prompt_back(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.submit(PROJECT, 0, "one", prompt="First.")
    first = prompt_now(context)
    double.submit(PROJECT, 1, "two", prompt="Second.")
    second = prompt_now(context)
    old = annotations_of(double)[0]
    correct(old, "one.")
    after_typo = prompt_now(context)
    old["result"] = [region("prompt", "Third."), region("response", "one.")]
    old["updated_at"] = datetime.now(UTC).isoformat()
    after_new_text = prompt_now(context)
    double.submit(PROJECT, 2, "three", prompt="First.")  # on purpose

    assert (first, second, after_typo, after_new_text) == ("First.", "Second.", "Second.", "Third.")
    assert prompt_now(context) == "First."
    assert [version.text for version in context.store.prompts.versions(PROJECT)] == [
        "First.",
        "Second.",
        "Third.",
        "First.",
    ]


def test_an_old_prompt_that_never_was_a_version_is_not_brought_by_a_typo_either(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    for number, prompt in enumerate(("First.", "Second.", "Third.")):
        double.submit(PROJECT, number, "answer", prompt=prompt)
    correct(annotations_of(double)[0], "before the first look")
    at_first = prompt_now(context)
    correct(annotations_of(double)[1], "after it")

    assert (at_first, prompt_now(context)) == ("Third.", "Third.")


def test_a_project_that_label_studio_lacks_is_forgotten(
    context: TrainerContext, caplog: pytest.LogCaptureFixture
) -> None:
    context.store.projects.remember(99)

    sync(context, 99)

    assert context.store.projects.all() == []
    assert "has no project 99" in caplog.text


def test_the_answers_of_a_forgotten_project_end_and_no_others(context: TrainerContext, redis_url: str) -> None:
    """Not at once: a LABEL_STUDIO_URL that is wrong for a while looks the same."""
    for project in (PROJECT, 99):
        context.store.answers.add([answer_to(1, "so").model_copy(update={"project": project})], kept_s=0)

    sync(context, 99)

    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        left = {
            key: client.ttl(key) for key in client.scan_iter("annotune:main:*") if "answers:" in key or "asked:" in key
        }
    gone = {key for key in left if ":99:" in key}
    assert len(gone) == 2
    assert all(0 < left[key] <= FORGOTTEN_S for key in gone)
    assert {left[key] for key in set(left) - gone} == {-1}
    assert [kept.text for kept in context.store.answers.known(99, 1)] == ["so"]


def test_a_look_at_many_tasks_asks_redis_little(
    context: TrainerContext, double: LabelStudioDouble, redis_url: str
) -> None:
    double.submit_all(PROJECT)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        before = client.info("stats")["total_reads_processed"]
        sync(context, PROJECT)
        asked = client.info("stats")["total_reads_processed"] - before

    assert asked < QUESTIONS


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"label_studio_api_key": None}, "LABEL_STUDIO_API_KEY is not set"),
        ({"prompt_prefix": ""}, "no control that a model can fill"),
    ],
    ids=["without a key", "with a config that cannot be served"],
)
def test_a_look_that_cannot_be_says_why(
    context: TrainerContext, caplog: pytest.LogCaptureFixture, changed: dict[str, Any], told: str
) -> None:
    shop = set_to(context, **changed)

    sync(replace(shop, studio=trainer_context(shop.settings).studio), PROJECT)

    assert told in caplog.text


# A training


def test_a_run_is_saved_and_its_wish_ends(context: TrainerContext) -> None:
    want(context)

    train_under_lease(context, PROJECT, lambda _, project, request: ended(project, request))

    [run] = context.store.runs.all(PROJECT)
    assert (run.state, run.requested_by) == ("promoted", "test")
    assert context.store.training.requested(PROJECT) is None
    assert not context.store.leases.held(PROJECT, "training")


def test_annotations_that_came_meanwhile_are_looked_at(context: TrainerContext) -> None:
    want(context)

    train_under_lease(context, PROJECT, lambda _, project, request: ended(project, request))

    assert context.jobs.waiting()[CHANGES] == 1


def test_an_annotation_submitted_in_mid_training_is_in_the_next_dataset(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    datasets: list[set[int]] = []
    late: list[int] = []

    def run_training(shop: TrainerContext, project: int, request: TrainingRequest) -> TrainingRun:
        run = ended(project, request)
        snapshot = read_snapshot(shop, project)
        annotations = {annotation.id for task in snapshot.tasks for annotation in task.annotations[-1:]}
        datasets.append(annotations)
        if not late:
            late.append(double.submit(project, 0, "late"))
        shop.store.trained.set_tried(project, examples_of(shop, snapshot).contents)
        return run

    double.submit_all(PROJECT)
    shop = set_to(context, train_every=1)
    want(shop)

    train_under_lease(shop, PROJECT, run_training)
    sync_under_lease(shop, PROJECT)
    train_under_lease(shop, PROJECT, run_training)

    assert late[0] not in datasets[0]
    assert late[0] in datasets[1]


def test_without_a_wish_nothing_is_trained(context: TrainerContext) -> None:
    train_under_lease(context, PROJECT, never)

    assert context.store.runs.all(PROJECT) == []


def never(_shop: TrainerContext, _project: int, _wanted: TrainingRequest) -> TrainingRun:
    pytest.fail("a training began")


def test_a_training_that_runs_elsewhere_is_not_doubled(context: TrainerContext) -> None:
    want(context)

    with lease(context.store, PROJECT, "training"):
        train_under_lease(context, PROJECT, never)

    assert context.store.training.requested(PROJECT) is not None


def test_of_twenty_wishes_one_is_queued(context: TrainerContext) -> None:
    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(lambda _: want(context), range(20)))

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
    want(context)

    train_under_lease(context, PROJECT, raising(error))

    [run] = context.store.runs.all(PROJECT)
    assert (run.state, run.reason) == (state, reason)
    assert want(context)


def raising(error: Exception) -> Callable[[TrainerContext, int, TrainingRequest], TrainingRun]:
    def run_training(_shop: TrainerContext, _project: int, _wanted: TrainingRequest) -> TrainingRun:
        raise error

    return run_training


def test_a_run_that_was_stopped_keeps_its_wish(context: TrainerContext) -> None:
    want(context)

    train_under_lease(context, PROJECT, raising(TrainingCancelled("stopped")))

    assert context.store.training.requested(PROJECT) is not None
    assert context.store.runs.all(PROJECT) == []


def test_a_run_that_lost_its_lease_is_told_and_not_recorded(context: TrainerContext, redis_url: str) -> None:
    want(context)
    other = trainer_context(context.settings).store

    def run_training(shop: TrainerContext, project: int, request: TrainingRequest) -> TrainingRun:
        shop.store._redis.set(shop.store.keys.of(project, "lease:training"), "another's")
        told = threading.Event()
        while not shop.cancelled():
            told.wait(0.02)
        return ended(project, request)

    train_under_lease(context, PROJECT, run_training, timing=SHORT)

    assert context.store.runs.all(PROJECT) == []
    assert other.training.requested(PROJECT) is not None
    assert other.leases.held(PROJECT, "training")


# Leases


def test_a_lease_is_kept_longer_than_it_lives(context: TrainerContext, eventually: Callable[..., Any]) -> None:
    store, pause = context.store, threading.Event()
    with lease(store, PROJECT, "x", SHORT) as held:
        pause.wait(3 * SHORT.ttl_s)

        assert store.leases.held(PROJECT, "x")
        assert not held.lost()


def test_a_lease_that_expired_is_taken_again(context: TrainerContext, eventually: Callable[..., Any]) -> None:
    store = context.store
    with lease(store, PROJECT, "x", SHORT) as held:
        store._redis.delete(store.keys.of(PROJECT, "lease:x"))

        eventually(lambda: store.leases.held(PROJECT, "x"))
        assert not held.lost()


# Reconciling


def test_a_lost_webhook_is_found(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.submit(PROJECT, 0, "one")
    context.store.projects.remember(PROJECT)

    sync_all(context.store, context.jobs)

    assert context.jobs.waiting()[CHANGES] == 1


def test_a_training_that_nobody_carries_out_is_queued_once(context: TrainerContext) -> None:
    want(context)

    requeue_due(context.store, context.jobs)
    requeue_due(context.store, context.jobs)

    assert context.jobs.waiting()[TRAINING] == 1


def test_a_change_whose_job_was_killed_is_queued_once(context: TrainerContext) -> None:
    context.store.changes.note(PROJECT)  # and no job

    requeue_due(context.store, context.jobs)
    requeue_due(context.store, context.jobs)

    assert context.jobs.waiting()[CHANGES] == 1


def test_a_change_that_was_looked_at_is_not_queued(context: TrainerContext) -> None:
    context.store.changes.note(PROJECT)
    sync_under_lease(context, PROJECT)

    requeue_due(context.store, context.jobs)

    assert context.jobs.waiting()[CHANGES] == 0


def test_a_look_that_failed_waits_for_the_reconciliation(context: TrainerContext, double: LabelStudioDouble) -> None:
    double.refusal = (400, {"detail": "oops"})
    context.store.changes.note(PROJECT)
    with pytest.raises(LabelStudioError):
        sync_under_lease(context, PROJECT)

    requeue_due(context.store, context.jobs)

    assert context.jobs.waiting()[CHANGES] == 0


def test_a_running_training_is_not_queued(context: TrainerContext) -> None:
    want(context)

    with lease(context.store, PROJECT, "training"):
        requeue_due(context.store, context.jobs)

    assert context.jobs.waiting()[TRAINING] == 0


def test_each_is_done_when_it_is_due(context: TrainerContext) -> None:
    context.store.projects.remember(PROJECT)
    now = [0.0]
    reconciler = Reconciler(context.store, context.jobs, reconcile_s=300, tick_s=10, clock=lambda: now[0])
    counted = []

    for at in (0, 299, 300, 301):
        now[0] = at
        reconciler.run()
        counted.append(context.store.changes.count(PROJECT))
        context.jobs._queue(CHANGES).empty()

    assert counted == [1, 1, 2, 2]


@pytest.fixture(autouse=True)
def _all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


# Projects that Label Studio does not have


def test_an_invented_project_leaves_no_key_and_no_folder(context: TrainerContext) -> None:
    store = context.store
    context.jobs.changed(OTHER)
    store.training.request(OTHER, WANTED)

    sync_under_lease(context, OTHER)

    assert store._redis.keys(store.keys.of(OTHER, "*")) == []
    assert not (context.settings.runs_dir / f"p{OTHER}").exists()
    assert store.projects.all() == []


def test_an_invented_project_is_not_trained(context: TrainerContext) -> None:
    context.store.training.request(OTHER, WANTED)

    train_under_lease(context, OTHER, never)

    assert context.store._redis.keys(context.store.keys.of(OTHER, "*")) == []
    assert not (context.settings.runs_dir / f"p{OTHER}").exists()


def test_what_a_project_made_outlives_a_moment_in_which_label_studio_does_not_have_it(context: TrainerContext) -> None:
    store, ref = context.store, ModelRef.parse("ollama:llama3")
    store.live.swap(OTHER, None, ref)
    store.prompts.add(OTHER, ProjectPrompt(text="p", source="command", at=WANTED.at))
    store.versions.next_number(OTHER)

    context.jobs.changed(OTHER)
    sync_under_lease(context, OTHER)

    assert store.projects.all() == []
    assert (store.live.get(OTHER), store.versions.next_number(OTHER)) == (ref, 2)
    assert [version.text for version in store.prompts.versions(OTHER)] == ["p"]
