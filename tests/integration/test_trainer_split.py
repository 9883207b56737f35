"""The sides of the split: decided by syncs and by trainings, kept in Redis and in the folder of runs."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from label_studio_double import LabelStudioDouble

from annotune.errors import RecordUnreadable
from annotune.runs import TrainingRun
from annotune.split import MIN_HELD_OUT, split_of, text_sha
from annotune.store.store import Store
from trainer.context import TrainerContext
from trainer.jobs import sync_under_lease
from trainer.mark import ensure_paired
from trainer.run_folder import write_manifest
from trainer.snapshot import current_examples
from trainer.state_files import SIDES, read_split
from trainer.sync import sync

PROJECT, OTHER = 4, 5
QUESTIONS = 60
FEWEST = 10
TAKES = FEWEST + MIN_HELD_OUT
TEXTS = [f"Question {number}?" for number in range(QUESTIONS)]


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    for project in (PROJECT, OTHER):
        double.add_project(project, questions=QUESTIONS)
    return double


@pytest.fixture
def context(context_with: Callable[..., TrainerContext]) -> TrainerContext:
    return context_with(recipe="small", train_every=1, min_examples=FEWEST)


@pytest.fixture
def store(context: TrainerContext) -> Store:
    return context.store


def submit(double: LabelStudioDouble, first: int, last: int, project: int = PROJECT) -> None:
    for number in range(first, last):
        double.submit(project, number, f"Answer {number}")


def delete(double: LabelStudioDouble, *texts: str) -> None:
    for task in double.projects[PROJECT]:
        if task["data"]["question"] in texts:
            task["annotations"].clear()


def lacks(context: TrainerContext) -> str:
    sync(context, PROJECT)
    tally = context.store.changes.summary(PROJECT)
    assert tally is not None
    return tally.lacks


def held_out(context: TrainerContext) -> set[str]:
    """The texts that a training would hold out now."""
    return {example.messages[-1].content.splitlines()[-1] for example in current_examples(context, PROJECT).held_out}


def test_the_sync_that_finds_enough_decides_the_sides_and_asks_for_a_training(
    context: TrainerContext, double: LabelStudioDouble, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    submit(double, 0, TAKES - 1)
    told = "it takes 15 usable annotations (MIN_EXAMPLES + 5), and there are 14: submit 1 more"
    assert lacks(context) == told
    assert told in caplog.text
    assert (store.splits.all(PROJECT), store.training.requested(PROJECT)) == ({}, None)

    submit(double, TAKES - 1, TAKES)
    assert lacks(context) == ""
    assert store.training.requested(PROJECT)
    lowest = sorted(TEXTS[:TAKES], key=text_sha)[:MIN_HELD_OUT]
    assert store.splits.all(PROJECT) == {
        text_sha(text): "eval" if text in lowest else "train" for text in TEXTS[:TAKES]
    }
    assert held_out(context) == set(lowest)


def test_a_side_stays_whatever_is_deleted_and_comes_again(context: TrainerContext, double: LabelStudioDouble) -> None:
    submit(double, 0, TAKES)
    first = held_out(context)
    delete(double, *first)
    assert lacks(context).endswith("there are 10: submit 5 more")

    submit(double, TAKES, TAKES + MIN_HELD_OUT)
    second = held_out(context)
    assert second == set(TEXTS[TAKES : TAKES + MIN_HELD_OUT])
    submit(double, 0, QUESTIONS)

    now = held_out(context)
    assert now >= first | second
    assert not now & set(TEXTS[:TAKES]) - first


def test_two_tasks_of_one_text_are_on_one_side_and_their_project_alone_says_on_which(
    context: TrainerContext, double: LabelStudioDouble, store: Store
) -> None:
    twin = double.projects[PROJECT][TAKES]
    twin["data"]["question"] = f"  {TEXTS[0].upper()}\n"
    submit(double, 0, TAKES + 1)
    submit(double, 0, 40, OTHER)
    sync(context, PROJECT)
    sync(context, OTHER)

    assert text_sha(twin["data"]["question"]) == text_sha(TEXTS[0])
    assert len(store.splits.all(PROJECT)) == TAKES
    assert len(store.splits.all(OTHER)) == 40
    assert store.splits.all(PROJECT).items() - store.splits.all(OTHER).items()


def test_syncs_and_trainings_at_once_decide_the_same(context: TrainerContext, store: Store) -> None:
    shas = [text_sha(text) for text in TEXTS]
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda last: store.splits.assign(PROJECT, shas[:last], FEWEST), [*range(1, 61)] * 4))

    kept = store.splits.all(PROJECT)
    assert all(split.splits.items() <= kept.items() for split in made)
    assert kept.keys() == set(shas)


def test_a_training_decides_what_no_sync_saw(context: TrainerContext, double: LabelStudioDouble, store: Store) -> None:
    submit(double, 0, TAKES)

    example_set = current_examples(context, PROJECT)

    assert (len(example_set.train), len(example_set.held_out), example_set.lacks) == (FEWEST, MIN_HELD_OUT, "")
    assert len(store.splits.all(PROJECT)) == TAKES
    assert read_split(context.settings.runs_dir, PROJECT) == store.splits.all(PROJECT)


def test_sides_come_back_into_an_emptied_redis_before_any_is_decided(
    context: TrainerContext, double: LabelStudioDouble, store: Store
) -> None:
    submit(double, 0, TAKES)
    sync_under_lease(context, PROJECT)
    before = store.splits.all(PROJECT)
    submit(double, TAKES, 40)
    double.delay = store._redis.flushall  # while Label Studio is being read

    example_set = current_examples(context, PROJECT)

    after = store.splits.all(PROJECT)
    assert (len(before), len(after)) == (TAKES, 40)
    assert before.items() <= after.items()
    assert read_split(context.settings.runs_dir, PROJECT) == after
    assert len(example_set.held_out) == list(after.values()).count("eval")


def test_sides_that_were_decided_in_an_emptied_redis_give_way_to_those_that_are_kept(
    context: TrainerContext, double: LabelStudioDouble, store: Store
) -> None:
    submit(double, 0, TAKES)
    sync_under_lease(context, PROJECT)
    before = store.splits.all(PROJECT)
    store._redis.flushall()
    store.splits.assign(PROJECT, [text_sha(text) for text in TEXTS[5:40]], FEWEST)

    ensure_paired(store, context.settings.runs_dir)

    assert before.items() <= store.splits.all(PROJECT).items()


def test_what_redis_forgot_since_its_last_save_comes_back(
    context: TrainerContext, double: LabelStudioDouble, store: Store
) -> None:
    submit(double, 0, TAKES)
    sync_under_lease(context, PROJECT)
    before = store.splits.all(PROJECT)
    store._redis.delete(store.keys.of(PROJECT, "sides"))  # the mark is there still

    current_examples(context, PROJECT)

    assert store.splits.all(PROJECT) == before


def test_sides_outlive_a_project_that_is_forgotten(
    context: TrainerContext, double: LabelStudioDouble, store: Store
) -> None:
    submit(double, 0, TAKES)
    sync(context, PROJECT)
    before = store.splits.all(PROJECT)
    tasks = double.projects.pop(PROJECT)
    sync(context, PROJECT)
    assert not store.projects.knows(PROJECT)
    double.projects[PROJECT] = tasks
    sync(context, PROJECT)

    assert store.splits.all(PROJECT) == before


def test_a_deployment_that_trained_before_sides_were_kept_keeps_the_sides_of_the_hash(
    context: TrainerContext, double: LabelStudioDouble, store: Store
) -> None:
    """Its trained texts are known by the number of a version alone, which the manifests bring back."""
    now = datetime.now(UTC)
    run = TrainingRun(id="one", project=PROJECT, number=1, state="failed", started_at=now, stages_s={"train": 1.0})
    folder = context.settings.runs_dir / f"p{PROJECT}" / run.id
    folder.mkdir(parents=True)
    write_manifest(folder, run)
    ensure_paired(store, context.settings.runs_dir)
    submit(double, 0, QUESTIONS)

    sync(context, PROJECT)
    sync(context, OTHER)

    assert store.splits.all(PROJECT) == {text_sha(text): split_of(text_sha(text)) for text in TEXTS}


def test_a_run_that_was_refused_before_its_training_seeds_nothing(
    context: TrainerContext, double: LabelStudioDouble, store: Store
) -> None:
    store.runs.save(TrainingRun(id="x", project=PROJECT, number=0, state="refused", started_at=datetime.now(UTC)))
    store.trained.set_tried(PROJECT, {1: ""})
    submit(double, 0, TAKES)

    assert lacks(context) == ""


def test_an_odd_side_is_named_and_costs_no_other_project(
    context: TrainerContext, double: LabelStudioDouble, store: Store
) -> None:
    submit(double, 0, TAKES, OTHER)
    store._redis.hset(store.keys.of(PROJECT, "sides"), text_sha("a"), "both")

    with pytest.raises(RecordUnreadable, match=f"annotune:main:{PROJECT}:sides"):
        sync(context, PROJECT)
    sync(context, OTHER)

    assert len(store.splits.all(OTHER)) == TAKES


def test_a_file_that_cannot_be_read_is_named_and_written_anew(
    context: TrainerContext, double: LabelStudioDouble, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    submit(double, 0, TAKES)
    sync_under_lease(context, PROJECT)
    path = context.settings.runs_dir / f"p{PROJECT}" / SIDES
    before = json.loads(path.read_text())
    path.write_text("[")

    sync_under_lease(context, PROJECT)

    assert str(path) in caplog.text
    assert json.loads(path.read_text()) == before
