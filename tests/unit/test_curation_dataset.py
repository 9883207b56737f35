"""The folder that a dataset is."""

import json
from pathlib import Path

import pytest

from annotune.chat import Message
from annotune.errors import RequestInvalid
from curation.dataset import Dataset, write_dataset
from curation.dataset_card import card
from curation.example import Example, Origin
from curation.manifest import About, SourceProject, read_manifest


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

    assert list(line) == ["id", "messages", "question", "answer", "abstract_id", "origin"]
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

    assert manifest["digest"] == dataset.digest
    assert manifest["counts"] == {"train": 2, "eval": 1}
    assert manifest["annotations"] == {"train": [7, 9], "eval": [8]}
    assert manifest["kinds"] == {"typed": 3}
    assert read_manifest(tmp_path).model_dump(mode="json") == manifest
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

    assert {file.name for file in tmp_path.iterdir()} == {"train.jsonl", "eval.jsonl", "README.md", "manifest.json"}


def test_the_card_declares_the_splits_that_have_rows(tmp_path: Path) -> None:
    write(tmp_path / "both", [1], [2])
    write(tmp_path / "train", [1], [])

    both, train = ((tmp_path / name / "README.md").read_text() for name in ("both", "train"))

    assert "split: eval" in both
    assert "split: eval" not in train
    assert "split: train" in train


@pytest.mark.parametrize(
    ("licence", "header"),
    [
        ("CC-BY-4.0", ["license: cc-by-4.0"]),
        ('ours: "all", \n---', ["license: other", 'license_name: "ours: \\"all\\", \\n---"']),
        ("", []),
    ],
)
def test_the_card_names_the_licence(licence: str, header: list[str]) -> None:
    text = card({"train": 1, "eval": 0}, About(licence=licence))

    assert [line for line in text.splitlines() if line.startswith("license")] == header


def test_the_card_says_what_the_chats_hold_and_where_they_are_from() -> None:
    project = SourceProject(project=3, title="Answers\n# [evil](x)")

    closed = card({"train": 1, "eval": 1}, About(open_book=False, projects=(project,)))

    assert "question alone" in closed
    assert "question alone" not in card({"train": 1, "eval": 1}, About())
    assert "- project 3: Answers \\# \\[evil\\](x)\n" in closed


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"digest": 1}'])
def test_a_folder_without_a_manifest_is_no_dataset(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(RequestInvalid, match="no manifest of a dataset"):
        read_manifest(tmp_path)
    with pytest.raises(RequestInvalid, match="no dataset of Annotune"):
        read_manifest(tmp_path / "nothing")
