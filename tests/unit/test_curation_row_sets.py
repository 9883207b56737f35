"""What a training reads of a dataset: a folder of ours with its sides, or any source with its columns."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from annotune.errors import NotFound, PromptMissing, RequestInvalid
from annotune.labeling.config import Labeling
from annotune.prompt import Prompt
from annotune.runs import DatasetRef
from curation.row_examples import RowMaker
from curation.row_sets import RowSet, check_columns, read_rows

CONFIG = '<View><Text name="chat" value="$question"/><TextArea name="response" toName="chat"/></View>'
MAKER = RowMaker.of(4, Labeling.parse(CONFIG))
PROMPT = Prompt("Answer.", "{prompt}\n\n{text}")


def jsonl(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def folder_of_ours(path: Path) -> Path:
    path.mkdir()
    for side, questions in (("train", ["One?", "Two?"]), ("eval", ["Three?"])):
        rows = [
            {
                "id": number,
                "messages": [{"role": "user", "content": f"As built: {question}"}],
                "question": question,
                "answer": "Yes.",
                "abstract_id": "17",
                "origin": {"project": 9, "prompt_sha": "abc", "kind": "typed", "drafted_by": None},
            }
            for number, question in enumerate(questions)
        ]
        jsonl(path / f"{side}.jsonl", rows)
    (path / "manifest.json").write_text(json.dumps({"digest": "d1", "counts": {}}))
    return path


def read(ref: DatasetRef, first: int = 1) -> RowSet:
    return read_rows(ref, MAKER, lambda: PROMPT, first)


def no_prompt() -> Prompt:
    raise PromptMissing("none")


def test_a_folder_of_ours_keeps_its_chats_and_its_sides(tmp_path: Path) -> None:
    found = read_rows(DatasetRef(source=str(folder_of_ours(tmp_path / "ours"))), MAKER, no_prompt, 5)

    assert (found.digest, found.read, dict(found.left_out)) == ("d1", 3, {})
    assert [row.side for row in found.rows] == ["train", "train", "eval"]
    assert found.rows[0].example.messages[-1].content == "As built: One?"
    assert [row.example.origin.annotation for row in found.rows] == [-5, -6, -7]
    assert {row.example.origin.prompt_sha for row in found.rows} == {"abc"}
    assert len({row.group for row in found.rows}) == 1
    assert {row.example.abstract_id for row in found.rows} == {"17"}


def test_bad_lines_of_a_folder_are_counted(tmp_path: Path) -> None:
    folder = folder_of_ours(tmp_path / "ours")
    with (folder / "train.jsonl").open("a") as lines:
        lines.write('{"id": 1}\nno JSON\n{"messages": [], "question": "Q?", "answer": "A."}\n')

    found = read(DatasetRef(source=str(folder)))

    assert (found.read, dict(found.left_out)) == (6, {"unreadable": 2, "empty": 1})
    assert len({row.example.origin.annotation for row in found.rows}) == 3


def test_a_folder_that_lost_a_file_is_named(tmp_path: Path) -> None:
    folder = folder_of_ours(tmp_path / "ours")
    (folder / "eval.jsonl").unlink()

    with pytest.raises(RequestInvalid, match=r"eval\.jsonl cannot be read"):
        read(DatasetRef(source=str(folder)))


def test_a_manifest_of_something_else_is_named(tmp_path: Path) -> None:
    folder = folder_of_ours(tmp_path / "ours")
    (folder / "manifest.json").write_text("[]")

    for refused in (read, check_columns):
        with pytest.raises(RequestInvalid, match=r"manifest\.json is no manifest of a dataset"):
            refused(DatasetRef(source=str(folder)))


def test_a_file_is_read_by_its_columns(tmp_path: Path) -> None:
    rows = [
        {"Q": "One?", "answer": "1", "question": "not"},
        {"Q": "Two?", "answer": ""},
        {"Q": "Three?", "answer": "3"},
    ]
    path = jsonl(tmp_path / "facts.jsonl", rows)

    found = read(DatasetRef(source=str(path), columns={"question": "Q"}))

    assert [row.example.question for row in found.rows] == ["One?", "Three?"]
    assert (found.read, dict(found.left_out)) == (3, {"empty": 1})
    assert [row.side for row in found.rows] == [None, None]
    assert found.rows[0].example.messages[-1].content == "Answer.\n\nOne?"


def test_equal_questions_and_answers_have_one_digest(tmp_path: Path) -> None:
    first = jsonl(tmp_path / "1.jsonl", [{"question": "One?", "answer": "1", "more": 1}])
    again = jsonl(tmp_path / "2.jsonl", [{"answer": "1", "question": "One?"}])
    other = jsonl(tmp_path / "3.jsonl", [{"question": "One?", "answer": "2"}])

    digests = [read(DatasetRef(source=str(path))).digest for path in (first, again, other)]

    assert digests[0] == digests[1] != digests[2]


def test_a_missing_column_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "facts.jsonl", [{"Q": "One?", "answer": "1"}])
    told = r"facts\.jsonl has no column 'question' for the question: it has 'Q', 'answer'; .* --map question=COLUMN"

    for refused in (read, check_columns):
        with pytest.raises(RequestInvalid, match=told):
            refused(DatasetRef(source=str(path)))
    with pytest.raises(RequestInvalid, match="has no column 'A' for the answer"):
        check_columns(DatasetRef(source=str(path), columns={"question": "Q", "answer": "A"}))


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        read(DatasetRef(source=str(tmp_path / "nowhere")))
