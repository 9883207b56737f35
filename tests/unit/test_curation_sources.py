"""Rows of files: each kind, and what is wrong with files that people have."""

import datetime as dt
import decimal
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotune.errors import NotFound, RequestInvalid
from curation.sources.row import LONGEST_TEXT, NOT_UTF8, SourceRow
from curation.sources.shuffle import shuffled
from curation.sources.source import open_source

ROW = {"question": "Is it safe?", "answer": "No."}


def rows_of(path: Path) -> list[SourceRow]:
    return list(open_source(str(path)).rows())


def data_of(path: Path) -> list[Mapping[str, Any]]:
    rows = rows_of(path)
    assert [row.bad for row in rows if row.bad] == []
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return [row.data for row in rows]


def bad_of(path: Path) -> dict[int, str]:
    return {row.number: row.bad for row in rows_of(path) if row.bad}


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


SAME: dict[str, tuple[str, str | bytes]] = {
    "CSV": ("a.csv", "question,answer\nIs it safe?,No.\n"),
    "a byte order mark": ("a.csv", b"\xef\xbb\xbfquestion,answer\nIs it safe?,No.\n"),
    "lines of Windows": ("a.csv", "question,answer\r\nIs it safe?,No.\r\n"),
    "lines of old Macs": ("a.csv", "question,answer\rIs it safe?,No.\r"),
    "semicolons": ("a.csv", "question;answer\nIs it safe?;No.\n"),
    "tabs": ("a.csv", "question\tanswer\nIs it safe?\tNo.\n"),
    "TSV": ("a.tsv", "question\tanswer\nIs it safe?\tNo.\n"),
    "pipes": ("a.csv", "question|answer\nIs it safe?|No.\n"),
    "a separator within a quoted name": ("a.csv", '"question",answer\n"Is it safe?",No.\n'),
    "no end of the last line": ("a.csv", "question,answer\nIs it safe?,No."),
    "empty lines": ("a.csv", "\n\nquestion,answer\n\nIs it safe?,No.\n , \n\n"),
    "pandas' index": ("a.csv", ",question,answer\n0,Is it safe?,No.\n"),
    "UTF-16": ("a.csv", "question,answer\nIs it safe?,No.\n".encode("utf-16")),
    "CSV in gzip": ("a.csv.gz", gzip.compress(b"question,answer\nIs it safe?,No.\n")),
    "capitals": ("A.CSV", "question,answer\nIs it safe?,No.\n"),
    "JSON lines": ("a.jsonl", json.dumps(ROW) + "\n"),
    "JSON lines with gaps and no end": ("a.ndjson", "\n" + json.dumps(ROW) + "\r\n\n"),
    "JSON lines in gzip": ("a.jsonl.gz", gzip.compress(json.dumps(ROW).encode())),
    "a JSON array": ("a.json", json.dumps([ROW], indent=1)),
    "a JSON object of rows": ("a.json", json.dumps({"7": ROW})),
    "a JSON object with a list of rows": ("a.json", json.dumps({"version": 1, "rows": [ROW]})),
    "a single JSON object": ("a.json", json.dumps(ROW)),
    "a task of Label Studio": ("a.json", json.dumps([{"id": 3, "data": ROW, "annotations": [], "meta": {}}])),
    "a task alone": ("a.json", json.dumps({"data": ROW})),
    "a task on a line": ("a.jsonl", json.dumps({"data": ROW})),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_row_is_read_from_every_kind_of_file(case: str, tmp_path: Path) -> None:
    name, content = SAME[case]

    assert data_of(written(tmp_path, name, content)) == [ROW]


def test_json_lines_under_the_name_of_json_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", "\n".join(json.dumps(ROW | {"n": n}, indent=n % 2) for n in range(3)))

    assert [row["n"] for row in data_of(path)] == [0, 1, 2]


def test_a_large_array_is_read_piece_by_piece(tmp_path: Path) -> None:
    """Rows and strings end where a piece does, at every place."""
    long = ["x" * size for size in (262_100, 262_120, 262_137, 262_144, 262_145, 1_000_000, 1)]
    rows = [{"text": text, "number": number} for number, text in enumerate(long * 2)]
    path = written(tmp_path, "a.json", json.dumps(rows))

    assert data_of(path) == rows


BAD: dict[str, tuple[str, str | bytes, dict[int, str]]] = {
    "too few and too many cells": (
        "a.csv",
        "a,b\n1,2\n1\n1,2,3\n3,4\n",
        {2: "has 1 cells, and the header has 2", 3: "has 3 cells, and the header has 2"},
    ),
    "a quote out of place": ("a.csv", 'a,b\n"1"2,3\n4,5\n', {1: "has a quote out of place (',' expected after '\"')"}),
    "a quote without an end": (
        "a.csv",
        'a,b\n1,2\n"3,4\n5,6\n',
        {2: "has a quote that is opened and never closed, so that the rest of the file is one row"},
    ),
    "Latin-1": ("a.csv", "a,b\nhéros,1\nx,2\n".encode("latin-1"), {1: f"'a' {NOT_UTF8}"}),
    "a NUL": ("a.csv", b"a,b\nx\0y,1\nx,2\n", {1: "'a' has a NUL character, which no database of Label Studio takes"}),
    "a huge cell": (
        "a.csv",
        f"a,b\n{'x' * (LONGEST_TEXT + 1)},1\nx,2\n",
        {1: "'a' has more than 1,000,000 characters"},
    ),
    "a line that is no JSON": (
        "a.jsonl",
        '{"a": 1}\n{"a": \n[1]\n{"a": 1, "a": 2}\n{"a": 2}\n',
        {
            2: "is no JSON: Expecting value",
            3: "is no JSON object, but list",
            4: "is no JSON: a name comes twice in one object",
        },
    ),
    "half a character": ("a.jsonl", '{"a": "\\ud800"}\n{"a": "\\ud83d\\ude00"}\n', {1: f"'a' {NOT_UTF8}"}),
    "a JSON that is nested too deep": (
        "a.jsonl",
        '{"a": ' + "[" * 40 + "]" * 40 + '}\n{"a": 1}\n',
        {1: "'a' is nested deeper than 30 levels"},
    ),
    "annotations that are none": (
        "a.jsonl",
        '{"data": {"a": 1}, "annotations": "yes"}\n{"data": {"a": 1}}\n',
        {1: "its annotations or predictions are no lists of objects"},
    ),
    "an item that is no row": ("a.json", '[{"a": 1}, 5]', {2: "is no JSON object, but int"}),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_costs_no_other(case: str, tmp_path: Path) -> None:
    name, content, bad = BAD[case]
    path = written(tmp_path, name, content)

    assert bad_of(path) == bad
    assert [row for row in rows_of(path) if not row.bad]


REFUSED: dict[str, tuple[str, str | bytes, str]] = {
    "two columns of one name": ("a.csv", "a,b,a\n1,2,3\n", "two columns named 'a': rename one"),
    "no header": ("a.csv", ",,\n1,2,3\n", "has no header"),
    "a quote that swallows the file": ("a.csv", 'a,b\n1,"2\n' + "x,y\n" * LONGEST_TEXT, "a quote is opened in line 2"),
    "a JSON array that is cut": ("a.json", '[{"a": 1}, {"a"', "is no JSON from character 12 on"),
    "a JSON array without its end": ("a.json", '[{"a": 1}', "the file ends before its array does"),
    "a JSON array without commas": ("a.json", '[{"a": 1} {"a": 2}]', "a comma is missing after a row"),
    "what follows an array": ("a.json", "[] 5]".replace("[]", '[{"a": 1}]'), "something follows the array"),
    "no gzip": ("a.csv.gz", "a,b\n1,2\n", "cannot be read: Not a gzipped file"),
    "a cut gzip": ("a.csv.gz", gzip.compress(b"a,b\n" + bytes(range(65, 91)) * 100)[:30], "cannot be read"),
    "no Parquet": ("a.parquet", "a,b\n", "cannot be read as Parquet"),
    "another ending": ("a.xlsx", "x", "has no ending that tells what it is"),
    "no ending": ("a", "x", "has no ending that tells what it is"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_none_is_refused_with_what_to_do(case: str, tmp_path: Path) -> None:
    name, content, words = REFUSED[case]

    with pytest.raises(RequestInvalid) as refusal:
        rows_of(written(tmp_path, name, content))

    assert words in str(refusal.value)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.json", "a.jsonl", "a.txt"])
@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_an_empty_file_has_no_rows(name: str, content: str, tmp_path: Path) -> None:
    assert rows_of(written(tmp_path, name, content)) == []


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    path = written(
        tmp_path, "a.jsonl", '{"a": NaN, "b": -Infinity, "c": 1e999, "d": 1.5, "e": 10000000000000000000000}'
    )

    assert data_of(path) == [{"a": None, "b": None, "c": None, "d": 1.5, "e": 10**22}]


def test_annotations_and_predictions_come_with_a_task(tmp_path: Path) -> None:
    annotation, prediction = {"result": [], "completed_by": 1}, {"result": [], "model_version": "v1"}
    task = {"id": 1, "data": ROW, "annotations": [annotation], "predictions": [prediction], "total_annotations": 1}

    (row,) = rows_of(written(tmp_path, "a.json", json.dumps([task])))

    assert (row.data, row.annotations, row.predictions) == (ROW, (annotation,), (prediction,))


def test_a_column_named_data_makes_no_task(tmp_path: Path) -> None:
    row = {"data": {"a": 1}, "label": "x"}

    assert data_of(written(tmp_path, "a.jsonl", json.dumps(row))) == [row]


def test_parquet_has_dates_bytes_decimals_and_nested_values(tmp_path: Path) -> None:
    columns = {
        "day": [dt.date(2026, 11, 27), None],
        "at": [dt.datetime(2026, 11, 27, 9, 30, tzinfo=dt.UTC), None],
        "text": [b"caf\xc3\xa9", b"\xff"],
        "price": [decimal.Decimal("1.50"), None],
        "score": [float("nan"), 1.0],
        "nested": [{"a": [{"b": dt.date(2026, 1, 1)}]}, None],
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")

    first, second = rows_of(tmp_path / "a.parquet")

    assert first.data == {
        "day": "2026-11-27",
        "at": "2026-11-27T09:30:00+00:00",
        "text": "café",
        "price": "1.50",
        "score": None,
        "nested": {"a": [{"b": "2026-01-01"}]},
    }
    assert second.bad == "'text' holds bytes that are no text"
    assert open_source(str(tmp_path / "a.parquet")).total == 2


def test_parquet_with_two_columns_of_one_name_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "a.parquet")

    with pytest.raises(RequestInvalid, match="two columns named 'a'"):
        rows_of(tmp_path / "a.parquet")


def test_a_text_has_a_row_for_each_paragraph(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "\n\nFirst line,\r\nsecond line.\r\n \r\n\r\nAnother.")

    assert data_of(path) == [{"text": "First line,\nsecond line."}, {"text": "Another."}]


def test_a_folder_has_a_row_for_each_text(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    written(tmp_path, "b/2.txt", "Two.\n\nStill two.")
    written(tmp_path, "1.txt", "One.")
    written(tmp_path, "empty.txt", " \n")
    written(tmp_path, "picture.png", b"\x89PNG")
    written(tmp_path, "latin.txt", "héros".encode("latin-1"))

    rows = rows_of(tmp_path)

    assert [(row.data.get("file"), row.data.get("text")) for row in rows if not row.bad] == [
        ("1.txt", "One."),
        ("b/2.txt", "Two.\n\nStill two."),
    ]
    assert [row.bad for row in rows if row.bad] == [f"'text' {NOT_UTF8}"]


def test_a_folder_without_texts_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match=r"put \.txt files into it"):
        open_source(str(tmp_path))
    written(tmp_path, "rows.csv", "a\n1\n")
    with pytest.raises(RequestInvalid, match=r"give one of its files, such as .*rows\.csv"):
        open_source(str(tmp_path))


def test_a_name_that_is_nothing_says_what_it_could_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("rows.csv", "./rows", "/nowhere/rows"):
        with pytest.raises(NotFound, match="there is no file or folder"):
            open_source(name)
    for name in ("https://example.com/a.csv/", "a b", "a/b/c"):
        with pytest.raises(RequestInvalid, match="neither a file nor the name of a dataset"):
            open_source(name)
    with pytest.raises(NotFound, match="no dataset json"):
        open_source("json")
    with pytest.raises(NotFound, match="no split 'dev': choose one of train, validation, test, full"):
        open_source("medal", "dev")
    written(tmp_path, "rows.csv", "a\n1\n")
    with pytest.raises(RequestInvalid, match="has no splits: leave --split out"):
        open_source("rows.csv", "train")


def test_rows_are_read_no_further_than_they_are_taken(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"a": 1}\n' * 100_000 + "\xff")
    rows = open_source(str(path)).rows()

    assert next(rows).data == next(rows).data == {"a": 1}
    path.write_text("")
    assert sum(1 for _ in rows) < 100_000


def test_shuffled_rows_are_all_there_in_an_order_that_the_seed_decides() -> None:
    rows = [SourceRow(number, {"text": "x"}) for number in range(1000)]

    first, again, other = (list(shuffled(rows, seed, buffer_rows=100)) for seed in (7, 7, 8))

    assert first == again
    assert first != other
    assert first != rows
    assert sorted(row.number for row in first) == list(range(1000))
    assert first[0].number <= 100  # from the buffer, not from the whole source


def test_the_buffer_of_long_rows_is_shorter() -> None:
    taken: list[int] = []

    def long_rows() -> Any:
        for number in range(200):
            taken.append(number)
            yield SourceRow(number, {"text": "x" * 1_000_000})

    next(shuffled(long_rows(), 7))

    assert len(taken) < 60
