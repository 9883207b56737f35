"""A sync with Label Studio: what is counted, which prompt it brings, when it requests a training."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from label_studio_double import LabelStudioDouble, region
from trainer_doubles import ended_run, with_settings

from annotune.answer import Answer
from annotune.errors import RecordUnreadable
from annotune.project_options import ProjectOptions
from annotune.prompt import ProjectPrompt
from annotune.runs import SyncSummary, TrainingRequest
from annotune.store.projects import FORGOTTEN_S
from annotune.store.queue import TRAINING
from trainer.context import TrainerContext, trainer_context
from trainer.snapshot import current_examples
from trainer.sync import sync

PROJECT = 4
QUESTIONS = 60


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


def test_a_sync_counts_what_is_usable_new_and_left_out(context: TrainerContext, double: LabelStudioDouble) -> None:
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


def test_answers_that_cannot_be_read_are_named_and_end_the_sync(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    double.submit(PROJECT, 0, "one")
    key = context.store.keys.of(PROJECT, f"answers:{PROJECT * 1000}")
    context.store._redis.rpush(key, "{")

    with pytest.raises(RecordUnreadable, match=key):
        current_examples(context, PROJECT)


def test_an_answer_that_was_lost_leaves_no_annotation_out(context: TrainerContext, double: LabelStudioDouble) -> None:
    """The lost one may have been the answer to the prompt beside it."""
    double.submit(PROJECT, 0, "one", prompt="Answer.")
    to_another = answer_to(PROJECT * 1000, "one").model_copy(update={"prompt": "Another."})
    context.store.answers.add([to_another], kept_s=0)
    assert current_examples(context, PROJECT).left_out == {"other prompt": 1}

    lost = to_another.model_copy(update={"prompt": "", "prompt_sha": "", "text": "", "lost": True})
    context.store.answers.add([lost], kept_s=0)

    assert current_examples(context, PROJECT).left_out == {}


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
    run = ended_run(PROJECT, TrainingRequest(requested_by="x", at=datetime.now(UTC)))
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
    assert context.jobs.lengths()[TRAINING] == 1


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

    sync(with_settings(context, **changed), PROJECT)

    assert context.store.training.requested(PROJECT) is None


def test_what_broke_off_before_its_training_is_tried_again_after_a_new_annotation(
    context: TrainerContext, double: LabelStudioDouble
) -> None:
    double.submit_all(PROJECT)
    context.store.runs.save(ended_run(PROJECT, TrainingRequest(requested_by="x", at=datetime.now(UTC)), "failed"))

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
    run = ended_run(PROJECT, TrainingRequest(requested_by="x", at=datetime.now(UTC)), "refused")
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
    correct(annotations_of(double)[0], "before the first sync")
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
    """Not at once: a LABEL_STUDIO_URL that is wrong for a while synced the same."""
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


def test_a_sync_of_many_tasks_asks_redis_little(
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
def test_a_sync_that_cannot_be_says_why(
    context: TrainerContext, caplog: pytest.LogCaptureFixture, changed: dict[str, Any], told: str
) -> None:
    job_context = with_settings(context, **changed)

    sync(replace(job_context, studio=trainer_context(job_context.settings).studio), PROJECT)

    assert told in caplog.text


def test_a_project_that_people_alone_fill_is_passed_over(
    context: TrainerContext, double: LabelStudioDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.submit(PROJECT, 0, "one")
    context.store.options.set(PROJECT, ProjectOptions(template="review", fills=(), reviews=5))

    sync(context, PROJECT)

    assert context.store.changes.summary(PROJECT) is None
    assert [record.message for record in caplog.records if "not synced" in record.message] == []
