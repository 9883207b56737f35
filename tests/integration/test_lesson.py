"""From a change in Label Studio to a training that is wanted, carried out and remembered, on a real Redis."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr
from studio_double import StudioDouble, region

from annotune.answer import Answer
from annotune.errors import LabelStudioError, TrainingCancelled, TrainingRefused
from annotune.models import ModelRef
from annotune.prompt import ProjectPrompt
from annotune.runs import Tally, TrainingRun, TrainingWanted
from annotune.settings import Settings
from annotune.store.queue import CHANGES, TRAINING
from annotune.store.store import FORGOTTEN_S
from trainer.context import Workshop, workshop_of
from trainer.jobs import follow, train
from trainer.lease import Pace, lease
from trainer.reconcile import Reconciler, look_everywhere, revive
from trainer.sync import lesson_of, look, read

PROJECT = 4
OTHER = 5
WANTED = TrainingWanted(requested_by="a test", at=datetime(2026, 1, 1, tzinfo=UTC))
QUESTIONS = 60
SHORT = Pace(ttl_s=0.5, renew_s=0.1)


@pytest.fixture
def double() -> Iterator[StudioDouble]:
    with StudioDouble() as running:
        running.add_project(PROJECT, questions=QUESTIONS)
        yield running


@pytest.fixture
def workshop(redis_url: str, double: StudioDouble, tmp_path: Path) -> Workshop:
    return workshop_of(
        Settings(
            redis_url=redis_url,
            label_studio_url=double.url,
            label_studio_api_key=SecretStr("legacy"),
            recipe="small",
            train_every=3,
            runs_dir=tmp_path / "runs",
        )
    )


def set_to(workshop: Workshop, **changed: Any) -> Workshop:
    return replace(workshop, settings=workshop.settings.model_copy(update=changed))


def ended(project: int, wanted: TrainingWanted, state: str = "promoted") -> TrainingRun:
    now = datetime.now(UTC)
    fields = {"id": f"{now.timestamp()}", "project": project, "number": 1, "state": state, "started_at": now}
    return TrainingRun.model_validate({**fields, "ended_at": now, "requested_by": wanted.requested_by})


def want(workshop: Workshop) -> bool:
    return workshop.store.want_training(PROJECT, TrainingWanted(requested_by="test", at=datetime.now(UTC)))


# Changes


def test_fifty_changes_wait_as_one_job(workshop: Workshop) -> None:
    for _ in range(50):
        workshop.jobs.changed(PROJECT)

    assert workshop.jobs.waiting()[CHANGES] == 1


def test_a_busy_project_is_looked_at_once_a_job_and_waits_behind_others(workshop: Workshop) -> None:
    looks: list[int] = []

    def see(shop: Workshop, project: int) -> None:
        looks.append(project)
        assert len(looks) < 9, "this job has no end"
        shop.store.note_changes(project)
        shop.store.take_queued(project)  # as when the job of that change found the lease taken

    workshop.jobs.look(PROJECT, OTHER)
    follow(workshop, PROJECT, see=see)

    assert looks == [PROJECT]
    assert workshop.jobs.line(CHANGES) == [PROJECT, OTHER, PROJECT]


def test_a_change_that_arrives_during_a_look_is_looked_at(workshop: Workshop) -> None:
    looks: list[int] = []

    def see(shop: Workshop, project: int) -> None:
        looks.append(project)
        if len(looks) == 1:
            shop.jobs.changed(project)

    follow(workshop, PROJECT, see=see)

    assert workshop.jobs.waiting()[CHANGES] == 1
    follow(workshop, PROJECT, see=see)
    assert looks == [PROJECT, PROJECT]
    assert workshop.store.looked(PROJECT) == workshop.store.changes(PROJECT)


def test_of_two_jobs_one_looks_and_the_other_leaves_it_the_change(workshop: Workshop) -> None:
    looks: list[str] = []

    def second(_shop: Workshop, _project: int) -> None:
        looks.append("second")

    def first(shop: Workshop, project: int) -> None:
        looks.append("first")
        shop.store.note_changes(project)
        follow(shop, project, see=second)  # the job of that change

    follow(workshop, PROJECT, see=first)

    assert looks == ["first"]
    assert workshop.jobs.waiting()[CHANGES] == 1


def test_a_change_during_a_look_queues_another_job(workshop: Workshop) -> None:
    workshop.jobs.changed(PROJECT)
    follow(workshop, PROJECT, see=lambda shop, project: shop.store.take_queued(project))

    workshop.jobs.changed(PROJECT)

    assert workshop.jobs.waiting()[CHANGES] == 2


def test_a_look_that_failed_gives_its_lease_back(workshop: Workshop, double: StudioDouble) -> None:
    double.refusal = (400, {"detail": "oops"})

    with pytest.raises(LabelStudioError):
        follow(workshop, PROJECT)

    assert not workshop.store.lease_held(PROJECT, "changed")


# A look


def test_a_look_counts_what_is_usable_new_and_left_out(workshop: Workshop, double: StudioDouble) -> None:
    known = double.submit(PROJECT, 0, "one")
    double.submit(PROJECT, 1, "two")
    double.submit(PROJECT, 2, "", skipped=True)
    read_before(workshop, [known])
    workshop.store.answer_book.add([answer_to(PROJECT * 1000 + 1, "before")], kept_s=0)

    look(workshop, PROJECT)

    tally = workshop.store.tally(PROJECT)
    assert tally is not None
    assert (tally.usable, tally.new, tally.left_out) == (2, 1, {"skipped": 1})
    assert tally.kinds == {"typed": 1, "corrected": 1}


def read_before(workshop: Workshop, annotations: list[int]) -> None:
    """As a version of Annotune left it that kept the ids of what it had trained on, and no more."""
    workshop.store._redis.sadd(workshop.store.keys.of(PROJECT, "dataset"), *annotations)


def tallied(workshop: Workshop) -> Tally:
    look(workshop, PROJECT)
    tally = workshop.store.tally(PROJECT)
    assert tally is not None
    return tally


def annotations_of(double: StudioDouble) -> list[dict[str, Any]]:
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
    workshop: Workshop, double: StudioDouble, odd: object, caplog: pytest.LogCaptureFixture
) -> None:
    double.submit(PROJECT, 0, "one", prompt="Its own.")
    double.submit(PROJECT, 1, "two", prompt="Answer in one word.")
    double.projects[PROJECT][1]["annotations"][0]["parent_prediction"] = 9
    double.projects[PROJECT][1]["predictions"].append(odd)

    tally = tallied(workshop)

    assert (tally.usable, tally.left_out) == (2, {})
    prompt = workshop.store.prompt(PROJECT)
    assert prompt is not None
    if isinstance(odd, dict) and odd["id"]:  # it may have brought the prompt, which is nobody's choice then
        assert prompt.text == "Its own."
        assert f"what cannot be read in these tasks is left out: {PROJECT * 1000 + 1}" in caplog.text
    assert "LABEL_STUDIO_URL" not in caplog.text


@pytest.mark.parametrize("odd", ODD_TASKS.values(), ids=ODD_TASKS)
def test_an_odd_task_is_left_out_and_counted(
    workshop: Workshop, double: StudioDouble, odd: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    double.submit(PROJECT, 0, "one")
    double.submit(PROJECT, 1, "two")
    double.projects[PROJECT][1] |= odd

    tally = tallied(workshop)

    assert (tally.usable, tally.left_out) == (1, {"unreadable": 1})
    assert str(PROJECT * 1000 + 1) in caplog.text


def test_a_task_without_an_id_is_left_out(
    workshop: Workshop, double: StudioDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.submit(PROJECT, 0, "one")
    double.submit(PROJECT, 1, "two")
    double.projects[PROJECT][1]["id"] = None

    assert tallied(workshop).usable == 1
    assert f"project {PROJECT}: 1 tasks have no id" in caplog.text


def test_odd_markup_and_half_letters_are_learnt_from(workshop: Workshop, double: StudioDouble) -> None:
    config = double.configs[PROJECT].replace("<Text ", "<HyperText ")
    double.add_project(PROJECT, 2, config)
    double.projects[PROJECT][0]["data"]["question"] = "<p>ok</p><![foo[bar]]>"
    double.projects[PROJECT][1]["data"]["question"] = "half \ud83d of a pair"
    double.submit(PROJECT, 0, "one")
    double.submit(PROJECT, 1, "two", prompt="Half \ud83d of a pair.")

    assert (tallied(workshop).usable, tallied(workshop).left_out) == (2, {})
    prompt = workshop.store.prompt(PROJECT)
    assert prompt is not None
    assert prompt.text == "Half \ufffd of a pair."


def test_corrections_of_what_was_tried_are_new(workshop: Workshop, double: StudioDouble) -> None:
    double.submit_all(PROJECT)
    tasks, labeling = read(workshop, PROJECT)
    contents = lesson_of(workshop, PROJECT, tasks, labeling).contents
    workshop.store.lessons.set_tried(PROJECT, contents)
    workshop.store.lessons.add_learnt(PROJECT, contents)
    before = tallied(workshop)
    for annotation in annotations_of(double)[:5]:
        correct(annotation, "CORRECTED")
    for annotation in annotations_of(double)[5:10]:  # touched, and the same as before
        annotation["updated_at"] = datetime.now(UTC).isoformat()

    after = tallied(workshop)

    assert (before.new, before.unlearnt) == (0, 0)
    assert (after.usable, after.new, after.unlearnt) == (QUESTIONS, 5, 5)
    assert workshop.store.training_wanted(PROJECT) is not None


def test_what_is_deleted_is_not_new_and_what_it_had_replaced_is(workshop: Workshop, double: StudioDouble) -> None:
    double.submit(PROJECT, 0, "one")
    double.submit(PROJECT, 0, "better")
    double.submit(PROJECT, 1, "two")
    tasks, labeling = read(workshop, PROJECT)
    workshop.store.lessons.set_tried(PROJECT, lesson_of(workshop, PROJECT, tasks, labeling).contents)
    double.projects[PROJECT][1]["annotations"].clear()
    gone = tallied(workshop)
    double.projects[PROJECT][0]["annotations"].pop()

    assert (gone.usable, gone.new) == (1, 0)
    assert tallied(workshop).new == 1


def test_another_system_prompt_is_nobodys_correction(workshop: Workshop, double: StudioDouble) -> None:
    double.submit_all(PROJECT)
    tasks, labeling = read(workshop, PROJECT)
    workshop.store.lessons.set_tried(PROJECT, lesson_of(workshop, PROJECT, tasks, labeling).contents)
    workshop.store.prompts.set_system(PROJECT, "Be brief.")

    assert tallied(workshop).new == 0


def test_an_upgrade_makes_nothing_new_at_once(workshop: Workshop, double: StudioDouble) -> None:
    double.submit_all(PROJECT)
    annotations = annotations_of(double)
    ids = [annotation["id"] for annotation in annotations]
    read_before(workshop, ids[:-2])
    run = ended(PROJECT, TrainingWanted(requested_by="x", at=datetime.now(UTC)))
    workshop.store.save_run(run.model_copy(update={"annotations": tuple(ids[:-4])}))
    first = tallied(workshop)
    for annotation in annotations[:3]:
        correct(annotation, "CORRECTED")
    second = tallied(workshop)

    assert (first.new, first.unlearnt) == (2, 4)
    assert (second.new, second.unlearnt) == (5, 7)


def answer_to(task: int, text: str) -> Answer:
    before = datetime.now(UTC) - timedelta(seconds=1)
    fields = {"prompt": "Answer.", "prompt_sha": "0", "text": text, "model_version": "m@1", "at": before}
    return Answer.model_validate({"project": PROJECT, "task": task, **fields})


def test_a_submitted_prompt_becomes_the_projects(workshop: Workshop, double: StudioDouble) -> None:
    number = double.submit(PROJECT, 0, "one", prompt="Answer in one word.")

    look(workshop, PROJECT)

    prompt = workshop.store.prompt(PROJECT)
    assert prompt is not None
    assert (prompt.text, prompt.source) == ("Answer in one word.", f"annotation {number}")


@pytest.mark.parametrize(("age_s", "kept"), [(60, "Submitted."), (-60, "By command.")], ids=["older", "newer"])
def test_a_prompt_set_by_command_yields_only_to_a_later_annotation(
    workshop: Workshop, double: StudioDouble, age_s: float, kept: str
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    workshop.store.set_prompt(PROJECT, ProjectPrompt(text="By command.", source="command", at=at))
    double.submit(PROJECT, 0, "one", prompt="Submitted.")

    look(workshop, PROJECT)

    prompt = workshop.store.prompt(PROJECT)
    assert prompt is not None
    assert prompt.text == kept


def test_the_prompt_of_an_accepted_prediction_changes_nothing(workshop: Workshop, double: StudioDouble) -> None:
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

    look(workshop, PROJECT)

    assert workshop.store.prompt(PROJECT) is None


def test_enough_new_annotations_ask_for_one_training(workshop: Workshop, double: StudioDouble) -> None:
    double.submit_all(PROJECT)

    look(workshop, PROJECT)
    look(workshop, PROJECT)

    wanted = workshop.store.training_wanted(PROJECT)
    assert wanted is not None
    assert wanted.requested_by == "TRAIN_EVERY"
    assert workshop.jobs.waiting()[TRAINING] == 1


NOT_ASKED: dict[str, dict[str, Any]] = {
    "TRAIN_EVERY is off": {"train_every": 0},
    "there is no recipe": {"recipe": None},
    "fewer are new": {"train_every": QUESTIONS + 1},
    "it would be refused": {"min_examples": QUESTIONS},
}


@pytest.mark.parametrize("changed", NOT_ASKED.values(), ids=NOT_ASKED.keys())
def test_no_training_is_asked_for_where(workshop: Workshop, double: StudioDouble, changed: dict[str, Any]) -> None:
    double.submit_all(PROJECT)

    look(set_to(workshop, **changed), PROJECT)

    assert workshop.store.training_wanted(PROJECT) is None


def test_what_broke_off_before_its_training_is_tried_again_after_a_new_annotation(
    workshop: Workshop, double: StudioDouble
) -> None:
    double.submit_all(PROJECT)
    workshop.store.save_run(ended(PROJECT, TrainingWanted(requested_by="x", at=datetime.now(UTC)), "failed"))

    look(workshop, PROJECT)
    before = workshop.store.training_wanted(PROJECT)
    double.submit(PROJECT, 0, "another")
    look(workshop, PROJECT)

    assert before is None
    assert workshop.store.training_wanted(PROJECT) is not None


def test_what_was_tried_and_refused_is_tried_again_only_after_enough_new_annotations(
    workshop: Workshop, double: StudioDouble
) -> None:
    double.submit_all(PROJECT)
    tasks, labeling = read(workshop, PROJECT)
    workshop.store.lessons.set_tried(PROJECT, lesson_of(workshop, PROJECT, tasks, labeling).contents)
    run = ended(PROJECT, TrainingWanted(requested_by="x", at=datetime.now(UTC)), "refused")
    workshop.store.save_run(run.model_copy(update={"stages_s": {"train": 1.0}}))
    asked = []
    for number in range(3):
        double.submit(PROJECT, number, "another")
        tally = tallied(workshop)
        asked.append((tally.new, tally.unlearnt, workshop.store.training_wanted(PROJECT) is not None))

    assert asked == [(1, QUESTIONS, False), (2, QUESTIONS, False), (3, QUESTIONS, True)]


def prompt_now(workshop: Workshop) -> str:
    look(workshop, PROJECT)
    prompt = workshop.store.prompt(PROJECT)
    assert prompt is not None
    return prompt.text


def test_a_corrected_answer_does_not_turn_the_prompt_back(workshop: Workshop, double: StudioDouble) -> None:
    double.submit(PROJECT, 0, "one", prompt="First.")
    first = prompt_now(workshop)
    double.submit(PROJECT, 1, "two", prompt="Second.")
    second = prompt_now(workshop)
    old = annotations_of(double)[0]
    correct(old, "one.")
    after_typo = prompt_now(workshop)
    old["result"] = [region("prompt", "Third."), region("response", "one.")]
    old["updated_at"] = datetime.now(UTC).isoformat()
    after_new_text = prompt_now(workshop)
    double.submit(PROJECT, 2, "three", prompt="First.")  # on purpose

    assert (first, second, after_typo, after_new_text) == ("First.", "Second.", "Second.", "Third.")
    assert prompt_now(workshop) == "First."
    assert [version.text for version in workshop.store.prompts.versions(PROJECT)] == [
        "First.",
        "Second.",
        "Third.",
        "First.",
    ]


def test_an_old_prompt_that_never_was_a_version_is_not_brought_by_a_typo_either(
    workshop: Workshop, double: StudioDouble
) -> None:
    for number, prompt in enumerate(("First.", "Second.", "Third.")):
        double.submit(PROJECT, number, "answer", prompt=prompt)
    correct(annotations_of(double)[0], "before the first look")
    at_first = prompt_now(workshop)
    correct(annotations_of(double)[1], "after it")

    assert (at_first, prompt_now(workshop)) == ("Third.", "Third.")


def test_a_project_that_label_studio_lacks_is_forgotten(workshop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    workshop.store.remember_project(99)

    look(workshop, 99)

    assert workshop.store.projects() == []
    assert "has no project 99" in caplog.text


def test_the_answers_of_a_forgotten_project_end_and_no_others(workshop: Workshop, redis_url: str) -> None:
    """Not at once: a LABEL_STUDIO_URL that is wrong for a while looks the same."""
    for project in (PROJECT, 99):
        workshop.store.answer_book.add([answer_to(1, "so").model_copy(update={"project": project})], kept_s=0)

    look(workshop, 99)

    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        left = {
            key: client.ttl(key) for key in client.scan_iter("annotune:main:*") if "answers:" in key or "asked:" in key
        }
    gone = {key for key in left if ":99:" in key}
    assert len(gone) == 2
    assert all(0 < left[key] <= FORGOTTEN_S for key in gone)
    assert {left[key] for key in set(left) - gone} == {-1}
    assert [kept.text for kept in workshop.store.answers(99, 1)] == ["so"]


def test_a_look_at_many_tasks_asks_redis_little(workshop: Workshop, double: StudioDouble, redis_url: str) -> None:
    double.submit_all(PROJECT)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        before = client.info("stats")["total_reads_processed"]
        look(workshop, PROJECT)
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
    workshop: Workshop, caplog: pytest.LogCaptureFixture, changed: dict[str, Any], told: str
) -> None:
    shop = set_to(workshop, **changed)

    look(replace(shop, studio=workshop_of(shop.settings).studio), PROJECT)

    assert told in caplog.text


# A training


def test_a_run_is_saved_and_its_wish_ends(workshop: Workshop) -> None:
    want(workshop)

    train(workshop, PROJECT, lambda _, project, wanted: ended(project, wanted))

    [run] = workshop.store.runs(PROJECT)
    assert (run.state, run.requested_by) == ("promoted", "test")
    assert workshop.store.training_wanted(PROJECT) is None
    assert not workshop.store.lease_held(PROJECT, "training")


def test_annotations_that_came_meanwhile_are_looked_at(workshop: Workshop) -> None:
    want(workshop)

    train(workshop, PROJECT, lambda _, project, wanted: ended(project, wanted))

    assert workshop.jobs.waiting()[CHANGES] == 1


def test_an_annotation_submitted_in_mid_training_is_in_the_next_dataset(
    workshop: Workshop, double: StudioDouble
) -> None:
    datasets: list[set[int]] = []
    late: list[int] = []

    def run_training(shop: Workshop, project: int, wanted: TrainingWanted) -> TrainingRun:
        run = ended(project, wanted)
        tasks, labeling = read(shop, project)
        annotations = {annotation.id for task in tasks for annotation in task.annotations[-1:]}
        datasets.append(annotations)
        if not late:
            late.append(double.submit(project, 0, "late"))
        shop.store.lessons.set_tried(project, lesson_of(shop, project, tasks, labeling).contents)
        return run

    double.submit_all(PROJECT)
    shop = set_to(workshop, train_every=1)
    want(shop)

    train(shop, PROJECT, run_training)
    follow(shop, PROJECT)
    train(shop, PROJECT, run_training)

    assert late[0] not in datasets[0]
    assert late[0] in datasets[1]


def test_without_a_wish_nothing_is_trained(workshop: Workshop) -> None:
    train(workshop, PROJECT, never)

    assert workshop.store.runs(PROJECT) == []


def never(_shop: Workshop, _project: int, _wanted: TrainingWanted) -> TrainingRun:
    pytest.fail("a training began")


def test_a_training_that_runs_elsewhere_is_not_doubled(workshop: Workshop) -> None:
    want(workshop)

    with lease(workshop.store, PROJECT, "training"):
        train(workshop, PROJECT, never)

    assert workshop.store.training_wanted(PROJECT) is not None


def test_of_twenty_wishes_one_is_queued(workshop: Workshop) -> None:
    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(lambda _: want(workshop), range(20)))

    assert won.count(True) == 1


FAULTS = {
    "refused": (TrainingRefused("too few examples"), "refused", "too few examples"),
    "failed in our words": (LabelStudioError("Label Studio is away"), "failed", "Label Studio is away"),
    "failed by a fault": (ZeroDivisionError("secret"), "failed", "ZeroDivisionError: the worker's log has the rest"),
}


@pytest.mark.parametrize(("error", "state", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_run_that_raises_is_recorded_and_can_be_retried_at_once(
    workshop: Workshop, error: Exception, state: str, reason: str
) -> None:
    want(workshop)

    train(workshop, PROJECT, raising(error))

    [run] = workshop.store.runs(PROJECT)
    assert (run.state, run.reason) == (state, reason)
    assert want(workshop)


def raising(error: Exception) -> Callable[[Workshop, int, TrainingWanted], TrainingRun]:
    def run_training(_shop: Workshop, _project: int, _wanted: TrainingWanted) -> TrainingRun:
        raise error

    return run_training


def test_a_run_that_was_stopped_keeps_its_wish(workshop: Workshop) -> None:
    want(workshop)

    train(workshop, PROJECT, raising(TrainingCancelled("stopped")))

    assert workshop.store.training_wanted(PROJECT) is not None
    assert workshop.store.runs(PROJECT) == []


def test_a_run_that_lost_its_lease_is_told_and_not_recorded(workshop: Workshop, redis_url: str) -> None:
    want(workshop)
    other = workshop_of(workshop.settings).store

    def run_training(shop: Workshop, project: int, wanted: TrainingWanted) -> TrainingRun:
        shop.store._redis.set(shop.store.keys.of(project, "lease:training"), "another's")
        told = threading.Event()
        while not shop.cancelled():
            told.wait(0.02)
        return ended(project, wanted)

    train(workshop, PROJECT, run_training, pace=SHORT)

    assert workshop.store.runs(PROJECT) == []
    assert other.training_wanted(PROJECT) is not None
    assert other.lease_held(PROJECT, "training")


# Leases


def test_a_lease_is_kept_longer_than_it_lives(workshop: Workshop, eventually: Callable[..., Any]) -> None:
    store, pause = workshop.store, threading.Event()
    with lease(store, PROJECT, "x", SHORT) as held:
        pause.wait(3 * SHORT.ttl_s)

        assert store.lease_held(PROJECT, "x")
        assert not held.lost()


def test_a_lease_that_expired_is_taken_again(workshop: Workshop, eventually: Callable[..., Any]) -> None:
    store = workshop.store
    with lease(store, PROJECT, "x", SHORT) as held:
        store._redis.delete(store.keys.of(PROJECT, "lease:x"))

        eventually(lambda: store.lease_held(PROJECT, "x"))
        assert not held.lost()


# Reconciling


def test_a_lost_webhook_is_found(workshop: Workshop, double: StudioDouble) -> None:
    double.submit(PROJECT, 0, "one")
    workshop.store.remember_project(PROJECT)

    look_everywhere(workshop.store, workshop.jobs)

    assert workshop.jobs.waiting()[CHANGES] == 1


def test_a_training_that_nobody_carries_out_is_queued_once(workshop: Workshop) -> None:
    want(workshop)

    revive(workshop.store, workshop.jobs)
    revive(workshop.store, workshop.jobs)

    assert workshop.jobs.waiting()[TRAINING] == 1


def test_a_change_whose_job_was_killed_is_queued_once(workshop: Workshop) -> None:
    workshop.store.note_changes(PROJECT)  # and no job

    revive(workshop.store, workshop.jobs)
    revive(workshop.store, workshop.jobs)

    assert workshop.jobs.waiting()[CHANGES] == 1


def test_a_change_that_was_looked_at_is_not_queued(workshop: Workshop) -> None:
    workshop.store.note_changes(PROJECT)
    follow(workshop, PROJECT)

    revive(workshop.store, workshop.jobs)

    assert workshop.jobs.waiting()[CHANGES] == 0


def test_a_look_that_failed_waits_for_the_reconciliation(workshop: Workshop, double: StudioDouble) -> None:
    double.refusal = (400, {"detail": "oops"})
    workshop.store.note_changes(PROJECT)
    with pytest.raises(LabelStudioError):
        follow(workshop, PROJECT)

    revive(workshop.store, workshop.jobs)

    assert workshop.jobs.waiting()[CHANGES] == 0


def test_a_running_training_is_not_queued(workshop: Workshop) -> None:
    want(workshop)

    with lease(workshop.store, PROJECT, "training"):
        revive(workshop.store, workshop.jobs)

    assert workshop.jobs.waiting()[TRAINING] == 0


def test_each_is_done_when_it_is_due(workshop: Workshop) -> None:
    workshop.store.remember_project(PROJECT)
    now = [0.0]
    reconciler = Reconciler(workshop.store, workshop.jobs, reconcile_s=300, tick_s=10, clock=lambda: now[0])
    counted = []

    for at in (0, 299, 300, 301):
        now[0] = at
        reconciler.run()
        counted.append(workshop.store.changes(PROJECT))
        workshop.jobs._queue(CHANGES).empty()

    assert counted == [1, 1, 2, 2]


@pytest.fixture(autouse=True)
def _all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


# Projects that Label Studio does not have


def test_an_invented_project_leaves_no_key_and_no_folder(workshop: Workshop) -> None:
    store = workshop.store
    workshop.jobs.changed(OTHER)
    store.want_training(OTHER, WANTED)

    follow(workshop, OTHER)

    assert store._redis.keys(store.keys.of(OTHER, "*")) == []
    assert not (workshop.settings.runs_dir / f"p{OTHER}").exists()
    assert store.projects() == []


def test_an_invented_project_is_not_trained(workshop: Workshop) -> None:
    workshop.store.want_training(OTHER, WANTED)

    train(workshop, OTHER, never)

    assert workshop.store._redis.keys(workshop.store.keys.of(OTHER, "*")) == []
    assert not (workshop.settings.runs_dir / f"p{OTHER}").exists()


def test_what_a_project_made_outlives_a_moment_in_which_label_studio_does_not_have_it(workshop: Workshop) -> None:
    store, ref = workshop.store, ModelRef.parse("ollama:llama3")
    store.swap_live(OTHER, None, ref)
    store.set_prompt(OTHER, ProjectPrompt(text="p", source="command", at=WANTED.at))
    store.next_number(OTHER)

    workshop.jobs.changed(OTHER)
    follow(workshop, OTHER)

    assert store.projects() == []
    assert (store.live(OTHER), store.next_number(OTHER)) == (ref, 2)
    assert [version.text for version in store.prompts.versions(OTHER)] == ["p"]
