"""The folder that a dataset is."""

import json
from pathlib import Path

import pytest

from annotune.chat import Message
from curation.dataset import Dataset, write_dataset
from curation.example import Example, Origin


def example(annotation: int, answer: str = "é “quoted”") -> Example:
    origin = Origin(project=1, task=annotation, annotation=annotation, annotator=1, prompt_sha="ab", kind="typed")
    return Example(messages=(Message("user", "Why?\nHow?"),), answer=answer, origin=origin)


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def write(folder: Path, train: list[int], held_out: list[int]) -> Dataset:
    return write_dataset(folder, [example(number) for number in train], [example(number) for number in held_out])


def test_a_line_has_id_messages_answer_and_origin(tmp_path: Path) -> None:
    write(tmp_path, [7], [8])
    (line,) = lines(tmp_path / "train.jsonl")

    assert list(line) == ["id", "messages", "answer", "origin"]
    assert (line["id"], line["answer"]) == (7, "é “quoted”")
    assert line["messages"] == [{"role": "user", "content": "Why?\nHow?"}]


def test_a_line_is_an_example_again(tmp_path: Path) -> None:
    dataset = write(tmp_path, [7], [8])
    (line,) = lines(tmp_path / "eval.jsonl")
    line.pop("id")

    assert (Example.model_validate(line),) == dataset.held_out


def test_the_manifest_tells_counts_annotations_and_digest(tmp_path: Path) -> None:
    dataset = write(tmp_path, [9, 7], [8])
    manifest = json.loads((tmp_path / "manifest.json").read_text())

    assert manifest == {
        "digest": dataset.digest,
        "counts": {"train": 2, "eval": 1},
        "annotations": {"train": [7, 9], "eval": [8]},
    }
    assert dataset.contents.keys() == {7, 8, 9}


def test_the_digest_does_not_depend_on_the_order(tmp_path: Path) -> None:
    assert write(tmp_path / "a", [1, 2, 3], [4, 5]).digest == write(tmp_path / "b", [3, 1, 2], [5, 4]).digest


@pytest.mark.parametrize(
    ("train", "held_out"), [([1, 2], [4]), ([1, 2, 3, 4], []), ([1, 2, 3], [5]), ([], [1, 2, 3, 4])]
)
def test_the_digest_changes_with_the_examples(tmp_path: Path, train: list[int], held_out: list[int]) -> None:
    assert write(tmp_path / "a", [1, 2, 3], [4]).digest != write(tmp_path / "b", train, held_out).digest


def test_an_empty_dataset_is_written_too(tmp_path: Path) -> None:
    dataset = write(tmp_path, [], [])

    assert lines(tmp_path / "train.jsonl") == []
    assert dataset.contents == {}


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    write(tmp_path, [1], [2])
    write(tmp_path, [1], [2])

    assert {file.name for file in tmp_path.iterdir()} == {"train.jsonl", "eval.jsonl", "manifest.json"}
