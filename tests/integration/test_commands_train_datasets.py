"""`annotune train --dataset`: what is checked before a training is queued, and what the worker finds in the request."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from label_studio_double import LabelStudioDouble

from annotune.prompt import ProjectPrompt
from annotune.runs import DatasetRef, TrainedDataset, TrainingRun
from annotune.store.store import Store
from commands.main import annotune
from commands.train import print_result

PROJECT, CHOICES = 4, 5
AT = datetime(2026, 11, 22, 10, 41, tzinfo=UTC)
TOPICS = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<Choices name="topic" toName="chat"><Choice value="a"/><Choice value="b"/></Choices></View>"""


@pytest.fixture
def run(double: LabelStudioDouble, redis_url: str, store: Store) -> Callable[..., Result]:
    double.add_project(PROJECT, questions=3)
    double.add_project(CHOICES, questions=3, config=TOPICS)
    store.prompts.add(PROJECT, ProjectPrompt(text="Answer.", source="command", at=AT))
    store.workers.heartbeat(60)
    deployment = {
        "LABEL_STUDIO_URL": double.url,
        "LABEL_STUDIO_API_KEY": "legacy",
        "REDIS_URL": redis_url,
        "RECIPE": "small",
    }

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(annotune, [str(each) for each in ("train", *arguments, "--no-wait")], env=deployment)

    return invoke


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "facts.jsonl"
    path.write_text(json.dumps({"Q": "One?", "answer": "1"}) + "\n")
    return path


def test_the_worker_gets_the_datasets(run: Callable[..., Result], store: Store, facts: Path) -> None:
    folder = facts.parent / "ours"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"digest": "d"}')

    told = run(PROJECT, "--dataset", facts, "--dataset", folder, "--map", "question=Q", "--without-annotations")

    assert told.exit_code == 0, told.output
    wanted = store.training.requested(PROJECT)
    assert wanted
    columns = {"question": "Q"}
    assert wanted.datasets == tuple(DatasetRef(source=str(path), columns=columns) for path in (facts, folder))
    assert not wanted.with_annotations


def test_a_path_of_this_folder_is_sent_whole(
    run: Callable[..., Result], store: Store, facts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(facts.parent)

    assert run(PROJECT, "--dataset", facts.name, "--map", "question=Q").exit_code == 0

    wanted = store.training.requested(PROJECT)
    assert wanted
    assert [ref.source for ref in wanted.datasets] == [str(facts)]


def test_a_path_of_the_workers_machine_alone_is_queued_and_told(run: Callable[..., Result], store: Store) -> None:
    told = run(PROJECT, "--dataset", "/data/facts")

    assert told.exit_code == 0
    assert "/data/facts is not on this machine: it must be there where the worker runs" in told.stderr
    assert store.training.requested(PROJECT)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((PROJECT, "--dataset", "FACTS"), "has no column 'question' for the question: it has 'Q', 'answer'"),
        ((PROJECT, "--dataset", "FACTS", "--map", "text=Q"), "and not 'text': map one of the two"),
        ((PROJECT, "--dataset", "nowhere.jsonl"), "there is no file or folder nowhere.jsonl"),
        ((PROJECT, "--without-annotations"), "a training without annotations takes a dataset"),
        ((CHOICES, "--dataset", "FACTS", "--map", "question=Q"), "cannot train on a dataset"),
        ((99, "--dataset", "FACTS"), "has no project 99"),
    ],
)
def test_what_cannot_train_is_told_in_a_sentence_and_queues_nothing(
    run: Callable[..., Result], store: Store, facts: Path, arguments: tuple[object, ...], told: str
) -> None:
    result = run(*(facts if each == "FACTS" else each for each in arguments))

    assert result.exit_code, result.output
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert [store.training.requested(project) for project in (PROJECT, CHOICES)] == [None, None]


def test_a_project_without_a_prompt_is_told_what_to_do(run: Callable[..., Result], store: Store, facts: Path) -> None:
    store._redis.flushall()

    assert f"annotune prompts set {PROJECT}" in run(PROJECT, "--dataset", facts, "--map", "question=Q").stderr


def test_a_training_under_way_without_these_datasets_is_told(
    run: Callable[..., Result], store: Store, facts: Path
) -> None:
    assert run(PROJECT).exit_code == 0

    told = run(PROJECT, "--dataset", facts, "--map", "question=Q")

    assert told.exit_code == 1
    assert "another training is requested or running, without these datasets" in told.stderr
    store.training.end(PROJECT)
    for _ in range(2):
        assert run(PROJECT, "--dataset", facts, "--map", "question=Q").exit_code == 0
    assert "requested or running already" in run(PROJECT).stdout


def test_the_end_tells_what_became_of_the_rows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = TrainedDataset(
        source="facts", split=None, digest="d", rows=9, trained=5, held_out=2, left_out={"double": 1, "empty": 1}
    )
    fields = {"id": "r1", "project": PROJECT, "number": 1, "state": "promoted", "started_at": AT, "examples": 5}

    print_result(TrainingRun.model_validate(fields | {"datasets": [told]}))

    assert "facts: 9 rows: 5 trained, 2 held out, 1 double, 1 empty" in capsys.readouterr().out
