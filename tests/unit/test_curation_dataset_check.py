"""What a check of a dataset finds, and what it does not."""

import json
from pathlib import Path
from typing import Any

import pytest
from dataset_folders import SHA, example, write

from annotune.errors import RequestInvalid
from curation.checks.finding import Finding
from curation.dataset_check import CheckOptions, DatasetCheck, check_dataset
from curation.dataset_reader import DatasetReader

WHAT = (
    "What is the usual first treatment of {} in adults who take no other drugs at all, who have been well until now, and"
    " who can come to the hospital every second week for a year?"
)


def check(folder: Path, **options: Any) -> DatasetCheck:
    return check_dataset(folder, CheckOptions(**options))


def found(folder: Path, **options: Any) -> list[tuple[str, tuple[int, ...]]]:
    return [(each.kind, each.rows) for each in check(folder, **options).findings]


def test_the_same_input_with_two_answers_is_a_contradiction(tmp_path: Path) -> None:
    write(tmp_path, [example(1, "Why?", "So."), example(2, "why?  ", "Not so."), example(3, "How?", "So.")])

    assert found(tmp_path) == [("contradiction", (1, 2))]


def test_the_same_input_with_the_same_answer_is_a_double(tmp_path: Path) -> None:
    answers = [json.dumps({"a": ["x", "y"], "b": "z"}), json.dumps({"b": "z", "a": ["y", "x"]})]
    write(tmp_path, [example(1, "Why?", "So  it is."), example(2, "Why?", "So it is. ")])
    write(tmp_path / "labels", [example(number, "Why?", answer) for number, answer in enumerate(answers, 1)])

    assert found(tmp_path) == [("double", (1, 2))]
    assert found(tmp_path / "labels") == [("double", (1, 2))]


def test_the_same_question_about_other_texts_is_no_double(tmp_path: Path) -> None:
    write(
        tmp_path, [example(1, "Why?", "So.", asked="Text one. Why?"), example(2, "Why?", "No.", asked="Text two. Why?")]
    )

    assert found(tmp_path) == []


def test_a_row_near_a_held_out_one_is_found_however_it_is_near(tmp_path: Path) -> None:
    question = WHAT.format("gout")
    train = [
        example(1, question.upper(), "a"),
        example(2, question.replace("the ", "", 1), "b"),
        example(3, question, "c"),
    ]
    write(tmp_path, [*train, example(4, "Is gout a disease of kings?", "d")], [example(9, question, "e")])

    kinds = found(tmp_path)

    assert [rows for kind, rows in kinds if kind == "near held out"] == [(1, 9), (2, 9), (3, 9)]
    assert {kind for kind, _ in kinds} == {"near held out", "contradiction"}


def test_questions_that_differ_in_a_rare_word_are_listed_and_are_no_fault(tmp_path: Path) -> None:
    write(tmp_path, [example(1, WHAT.format("gout"), "a")], [example(2, WHAT.format("asthma"), "b")])

    result = check(tmp_path)

    assert result.findings == (Finding("similar", (1, 2), "question", "2 words differ"),)
    assert result.is_clean


def labelled(number: int, label: object) -> Any:
    return example(number, f"Text {number}?", json.dumps({"kind": label, "why": f"because of {number}"}))


@pytest.mark.parametrize("form", [str, lambda label: [label], lambda label: [{"quote": "x", "label": label}]])
def test_rare_labels_are_found(tmp_path: Path, form: Any) -> None:
    train = [labelled(number, form("common")) for number in range(1, 31)] + [labelled(31, form("odd"))]
    write(tmp_path, train, [labelled(number, form("held")) for number in range(41, 47)])

    findings = check(tmp_path).findings

    assert [(each.field, each.text, each.rows) for each in findings] == [
        ("answer.kind", "held: rows 6, all of them held out", (41, 42, 43, 44, 45)),
        ("answer.kind", "odd: rows 1", (31,)),
    ]


def test_of_few_rows_no_label_is_rare(tmp_path: Path) -> None:
    write(tmp_path, [labelled(1, "a"), labelled(2, "b"), example(3, "Text?", "{no json"), example(4, "Q?", '["a"]')])

    assert found(tmp_path) == []


def test_too_long_is_told_by_characters(tmp_path: Path) -> None:
    write(tmp_path, [example(1, "a" * 300, "b" * 100), example(2, "c" * 300, "b" * 101), example(3, "漢" * 99, "字字")])

    assert found(tmp_path, max_tokens=100) == [("too long", (2,)), ("too long", (3,))]
    assert found(tmp_path) == []
    assert "lengths were not looked at" in check(tmp_path).notes[0]


def test_an_empty_source_text_is_found_by_the_prompt(tmp_path: Path) -> None:
    text = "Answer by the text.\n\nText:\n{source_text}\n\nQuestion:\n{question}"
    prompt = {"sha": SHA, "rows": 3, "text": text, "template": "{prompt}\n\n{text}", "system": ""}
    chats = [text.format(source_text=source, question="Why?") for source in ("", " \n", "Gout hurts.")]
    rows = [example(number, "Why?", "So.", asked=chat) for number, chat in enumerate(chats, 1)]
    write(tmp_path, rows, open_book=True, prompts=[prompt])
    write(tmp_path / "unknown", rows[:1], open_book=True, prompts=[{"sha": SHA, "rows": 1}])

    assert [rows for kind, rows in found(tmp_path) if kind == "empty context"] == [(1,), (2,)]
    assert any("source texts were not looked for" in note for note in check(tmp_path / "unknown").notes)


def test_an_empty_question_or_answer_is_found(tmp_path: Path) -> None:
    write(tmp_path, [example(1, " ", "So."), example(2, "Why?", "\n")])

    assert found(tmp_path) == [("empty", (1,)), ("empty", (2,))]


@pytest.mark.parametrize("rows", [0, 1])
def test_an_empty_dataset_and_one_row_are_clean(tmp_path: Path, rows: int) -> None:
    write(tmp_path, [example(1, "Why?", "So.")][:rows])

    assert check(tmp_path).is_clean
    assert check(tmp_path).findings == ()


def test_rows_that_are_all_the_same_are_one_finding(tmp_path: Path) -> None:
    write(tmp_path, [example(number, "Why?", "So.") for number in range(1, 200)])

    assert [(kind, len(rows)) for kind, rows in found(tmp_path)] == [("double", 199)]


def test_an_unknown_region_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match="'us' is no region"):
        check(write(tmp_path, []), regions=("us",))


def test_names_that_were_not_looked_for_are_said(tmp_path: Path) -> None:
    assert check(write(tmp_path, [])).notes[-1].startswith("names were not looked for")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        '{"id": 1}',
        '{"id": "x", "messages": [], "question": "", "answer": "", "origin": {}}',
        "\xff",
        "[" * 9999,
    ],
)
def test_a_line_that_is_no_row_is_one_sentence(tmp_path: Path, line: str) -> None:
    write(tmp_path, [example(1, "Why?", "So.")])
    with (tmp_path / "train.jsonl").open("a", encoding="latin-1") as file:
        file.write(line + "\n")

    with pytest.raises(
        RequestInvalid, match=r"line 2 of .*train\.jsonl' is no row of a dataset .*: build the dataset again$"
    ):
        list(DatasetReader(tmp_path).rows())


def test_a_folder_that_is_no_dataset_or_lacks_a_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match="is no dataset"):
        check(tmp_path)
    write(tmp_path, [])
    (tmp_path / "eval.jsonl").unlink()
    with pytest.raises(RequestInvalid, match=r"eval\.jsonl' cannot be read"):
        check(tmp_path)
