"""Trainings on datasets: which rows train, what is recorded, and what it means for the annotations."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from doubles import FakeEngine, FakeOllama
from label_studio_double import CONFIG, LabelStudioDouble, region
from trainer_doubles import BASE

from annotune.errors import TrainingCancelled
from annotune.labeling.config import Labeling
from annotune.prompt import ProjectPrompt
from annotune.question import Question
from annotune.runs import DatasetRef, SyncSummary, TrainedDataset, TrainingRequest, TrainingRun
from annotune.serving import ServingResolver
from annotune.split import text_sha
from annotune.store.store import Store
from embedded.formulary import formulary
from trainer.context import TrainerContext
from trainer.jobs import train_under_lease
from trainer.mark import ensure_paired
from trainer.pipeline import run_training
from trainer.run_folder import read_runs, run_folder
from trainer.sync import sync

PROJECT = 4
AT = datetime(2026, 11, 23, tzinfo=UTC)
PROMPT = "Answer in one sentence."
FACTS = [(pair.question, pair.answer) for pair in formulary(9, 60)]
MARKED = CONFIG.replace(
    "</View>",
    '<Choices name="reference_faults" toName="chat" choice="multiple"><Choice value="Wrong"/></Choices></View>',
)


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(PROJECT, questions=30, config=MARKED)
    return double


@pytest.fixture
def context(context_with: Callable[..., TrainerContext], ollama: FakeOllama, store: Store) -> TrainerContext:
    store.prompts.add(PROJECT, ProjectPrompt(text=PROMPT, source="command", at=AT))
    served = {"openai_provider": "ollama", "openai_model": BASE, "ollama_endpoint": ollama.url}
    return context_with(
        recipe="small",
        min_examples=10,
        answer_controls="response",
        system_prompt="Be brief.",
        deployment="main",
        **served,
    )


@pytest.fixture
def facts(tmp_path: Path) -> DatasetRef:
    return jsonl(tmp_path / "facts.jsonl", FACTS)


@pytest.fixture
def train(context: TrainerContext) -> Callable[..., TrainingRun]:
    """`train(ref, ...)`: as the worker trains what was requested."""

    def run(*datasets: DatasetRef, engine: FakeEngine | None = None, with_annotations: bool = True) -> TrainingRun:
        wanted = TrainingRequest(requested_by="a test", at=AT, datasets=datasets, with_annotations=with_annotations)
        assert context.store.training.request(PROJECT, wanted)
        trained = engine or FakeEngine()
        train_under_lease(context, PROJECT, lambda *given: run_training(*given, engine=trained))
        newest, *_ = context.store.runs.all(PROJECT)
        return newest

    return run


def jsonl(path: Path, facts: Sequence[tuple[str, str]]) -> DatasetRef:
    path.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in facts), encoding="utf-8")
    return DatasetRef(source=str(path))


def lines(context: TrainerContext, run: TrainingRun) -> dict[str, list[dict[str, object]]]:
    folder = run_folder(context.settings.runs_dir, PROJECT, run.id) / "dataset"
    return {
        side: [json.loads(line) for line in (folder / f"{side}.jsonl").read_text(encoding="utf-8").splitlines()]
        for side in ("train", "eval")
    }


def summary(context: TrainerContext) -> SyncSummary:
    sync(context, PROJECT)
    found = context.store.changes.summary(PROJECT)
    assert found
    return found


def test_annotations_and_rows_become_a_version(
    train: Callable[..., TrainingRun], context: TrainerContext, double: LabelStudioDouble, facts: DatasetRef
) -> None:
    ids = [double.submit(PROJECT, number, f"Answer {number}") for number in range(4)]

    run = train(facts)

    assert run.state == "promoted", run.reason
    assert run.version
    assert set(run.annotations) == set(ids)
    assert run.examples + run.held_out == 64
    [told] = run.datasets
    assert (told.source, told.rows, told.trained + told.held_out, told.left_out) == (facts.source, 60, 60, {})
    assert context.store.training.requested(PROJECT) is None
    [manifest] = read_runs(context.settings.runs_dir, PROJECT)
    assert manifest.datasets == run.datasets
    rows = [row for side in lines(context, run).values() for row in side]
    numbers = [row["id"] for row in rows]
    assert len(set(numbers)) == len(numbers) == 64
    assert {number for number in numbers if isinstance(number, int) and number > 0} == set(ids)


def test_a_row_is_asked_byte_for_byte_as_the_project_serves(
    train: Callable[..., TrainingRun], context: TrainerContext, facts: DatasetRef
) -> None:
    run = train(facts)

    resolver = ServingResolver(context.settings, context.store)
    prompt = resolver.resolve(PROJECT).required_prompt(PROJECT)
    labeling = Labeling.from_settings(MARKED, context.settings)
    answers = dict(FACTS)
    rows = [row for side in lines(context, run).values() for row in side]
    assert len(rows) == 60
    for row in rows:
        asked = Question(labeling, prompt, {"question": row["question"]})
        assert row["messages"] == [message.as_dict() for message in asked.messages]
        assert row["answer"] == answers[str(row["question"])].strip()


def test_the_counting_of_new_annotations_stays_right(
    train: Callable[..., TrainingRun], context: TrainerContext, double: LabelStudioDouble, facts: DatasetRef
) -> None:
    double.submit(PROJECT, 0, "Answer 0")
    assert summary(context).new == 1

    train(facts)
    assert (summary(context).new, summary(context).unlearnt) == (0, 0)

    double.submit(PROJECT, 1, "Answer 1")
    assert (summary(context).new, summary(context).unlearnt) == (1, 1)


def test_a_training_without_annotations_tries_none(
    train: Callable[..., TrainingRun], context: TrainerContext, double: LabelStudioDouble, facts: DatasetRef
) -> None:
    double.submit(PROJECT, 0, "Answer 0")
    train(facts)
    double.submit(PROJECT, 1, "Answer 1")

    run = train(facts, with_annotations=False)

    assert (run.state, run.with_annotations, run.annotations) == ("promoted", False, ())
    assert run.examples + run.held_out == 60
    assert (summary(context).new, summary(context).unlearnt) == (1, 1)
    context.store._redis.flushall()
    ensure_paired(context.store, context.settings.runs_dir)
    assert (summary(context).new, summary(context).unlearnt) == (1, 1)


def test_a_persons_answer_and_a_wrong_reference_outrank_rows(
    train: Callable[..., TrainingRun], context: TrainerContext, double: LabelStudioDouble, facts: DatasetRef
) -> None:
    tasks = double.projects[PROJECT]
    for number in range(2):
        tasks[number]["data"]["question"] = FACTS[number][0]
        double.submit(PROJECT, number, "A person's answer")
    fault = {**region("reference_faults", ""), "type": "choices", "value": {"choices": ["Wrong"]}}
    tasks[1]["annotations"][0]["result"].append(fault)

    run = train(facts)

    rows = {str(row["question"]): row["answer"] for side in lines(context, run).values() for row in side}
    assert rows[FACTS[0][0]] == "A person's answer"
    assert FACTS[1][0] not in rows
    assert run.datasets[0].left_out == {"annotated": 1, "wrong reference": 1}
    assert run.left_out == {"wrong reference": 1}


def test_held_out_questions_never_train_and_new_ones_keep_their_side(
    train: Callable[..., TrainingRun], context: TrainerContext, facts: DatasetRef
) -> None:
    held = [text_sha(question) for question, _ in FACTS[:8]]
    context.store.splits.restore(PROJECT, dict.fromkeys(held, "eval"), emptied=False)

    first = lines(context, train(facts))
    again = lines(context, train(facts))

    assert first == again
    assert {text_sha(str(row["question"])) for row in first["eval"]} >= set(held)
    recorded = context.store.splits.all(PROJECT)
    assert all(recorded[text_sha(str(row["question"]))] == side for side, rows in first.items() for row in rows)


def test_a_training_that_is_killed_starts_anew_with_its_datasets(
    context: TrainerContext, train: Callable[..., TrainingRun], facts: DatasetRef, store: Store
) -> None:
    engine = FakeEngine()
    dying = replace(context, cancelled=lambda: "train" in engine.scripts)
    wanted = TrainingRequest(requested_by="a test", at=AT, datasets=(facts,), with_annotations=False)
    store.training.request(PROJECT, wanted)
    with pytest.raises(TrainingCancelled):
        run_training(dying, PROJECT, wanted, engine=engine)

    assert store.training.requested(PROJECT) == wanted
    train_under_lease(context, PROJECT, lambda *given: run_training(*given, engine=FakeEngine()))

    [run] = store.runs.all(PROJECT)
    assert (run.state, run.with_annotations, run.datasets[0].source) == ("promoted", False, facts.source)


def test_a_folder_that_the_worker_does_not_see_is_named(train: Callable[..., TrainingRun]) -> None:
    run = train(DatasetRef(source="/nowhere/facts"))

    assert run.state == "failed"
    assert "/nowhere/facts" in run.reason
    assert "it is the worker that reads a dataset" in run.reason


def test_too_few_rows_are_refused_with_what_was_left_out(
    train: Callable[..., TrainingRun], double: LabelStudioDouble, tmp_path: Path
) -> None:
    double.submit(PROJECT, 0, "Answer 0")

    run = train(jsonl(tmp_path / "few.jsonl", [*FACTS[:5], *FACTS[:2], ("Q?", "")]))

    assert run.state == "refused"
    assert "it takes 15 usable examples (MIN_EXAMPLES + 5), and the annotations and datasets have 6" in run.reason
    assert f"of {tmp_path / 'few.jsonl'}: 2 double, 1 empty" in run.reason


def test_a_project_without_a_prompt_cannot_ask_a_datasets_questions(
    context: TrainerContext, train: Callable[..., TrainingRun], facts: DatasetRef, store: Store
) -> None:
    store._redis.flushall()

    run = train(facts)

    assert run.state == "failed"
    assert "project 4 has no prompt" in run.reason


def test_a_version_that_did_not_learn_from_the_live_ones_dataset_waits(
    train: Callable[..., TrainingRun], double: LabelStudioDouble, facts: DatasetRef
) -> None:
    double.submit_all(PROJECT)
    assert train(facts).state == "promoted"

    alone = train(engine=FakeEngine(weights=b"GGUF alone"))

    assert alone.state == "waiting"
    assert f"the live version was also trained on {facts.source}, and this one was not" in alone.reason
    assert f"'annotune train {PROJECT} --dataset {facts.source}'" in alone.reason
    assert train(facts, engine=FakeEngine(weights=b"GGUF both")).state == "promoted"


def test_records_of_before_and_of_other_versions_are_read() -> None:
    old = TrainingRequest.parse_record('{"requested_by": "command", "at": "2026-01-01T00:00:00Z"}', "here")
    run = TrainingRun.parse_record(
        '{"id": "r", "project": 1, "number": 1, "state": "promoted", "started_at": "2026-01-01T00:00:00Z"}', "here"
    )
    told = {"source": "x", "split": None, "digest": "d", "rows": 1, "trained": 1, "held_out": 0, "more": 1}

    assert (old.datasets, old.with_annotations) == ((), True)
    assert (run.datasets, run.with_annotations) == ((), True)
    assert TrainedDataset.model_validate(told).rows == 1
