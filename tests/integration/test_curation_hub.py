"""Datasets of a Hub over HTTP, streamed by the real libraries, which read their settings when they are imported.

So one other process asks for all of them.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hub_double import HubDouble, HubRepository
from medal_zip import FULL_HEADER, TRAIN_HEADER, full_rows, train_rows, write_sparse_zip, write_whole_zip

from annotune.errors import NotFound, RequestInvalid, SourceUnreachable, Unauthorized
from curation.sources.hub_errors import hub_errors

ROOT = Path(__file__).resolve().parents[2]
MEDAL_BYTES = 2_100_000_000
QUESTIONS = "".join(f'{{"question": "Is {number} safe?", "answer": "No."}}\n' for number in range(30))
CONFIGS = "---\nconfigs:\n- config_name: x\n  data_files: x.csv\n- config_name: y\n  data_files: y.csv\n---\n"
TABLE = b"q,a\n1,2\n"
REPOSITORIES = {
    "ngram/medchat-qa": HubRepository({"data/train.jsonl": QUESTIONS.encode()}),
    "ward/split": HubRepository({"validation.csv": TABLE, "test.csv": TABLE}),
    "ward/configured": HubRepository({"README.md": CONFIGS.encode(), "x.csv": TABLE, "y.csv": b"q,b\n3,4\n"}),
    "ward/script": HubRepository({"script.py": b"x", "data.zip": b"x"}),
    "ward/gated": HubRepository({"a.csv": TABLE}, gated=True),
    "ward/private": HubRepository({"a.csv": TABLE}, private=True),
    "ward/empty": HubRepository({"README.md": b"Nothing yet."}),
    "ward/damaged": HubRepository({"a.jsonl": b'{"a": 1}\n{"a": \n'}),
}
SCRIPT = """
import json, os, sys
from itertools import islice
from annotune.errors import AnnotuneError
from curation.sources.source import open_source
for name, split, number in json.loads(sys.argv[1]):
    try:
        rows = list(islice(open_source(name, split).rows(), number))
        print(json.dumps({"rows": [[row.data, row.bad] for row in rows]}), flush=True)
    except AnnotuneError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}), flush=True)
    sys.stdin.readline()
"""


@dataclass(frozen=True)
class Found:
    """What a source gave: rows with the reason why they are bad, or an error; and the bytes of files that it took."""

    rows: list[tuple[dict[str, Any], str]]
    error: str
    message: str
    taken: int


CASES: dict[str, tuple[str, str | None, int]] = {
    "streamed": ("ngram/medchat-qa", None, 3),
    "whole": ("ngram/medchat-qa", "train", 100),
    "no such split": ("ngram/medchat-qa", "dev", 1),
    "no train": ("ward/split", None, 1),
    "another split": ("ward/split", "test", 9),
    "several configurations": ("ward/configured", None, 1),
    "no such configuration": ("ward/configured:z", None, 1),
    "a configuration": ("ward/configured:y", None, 9),
    "a script": ("ward/script", None, 1),
    "gated": ("ward/gated", None, 1),
    "private": ("ward/private", None, 1),
    "empty": ("ward/empty", None, 1),
    "damaged": ("ward/damaged", None, 9),
    "unknown": ("ward/unknown", None, 1),
    "ten rows of MeDAL": ("medal", None, 10),
    "all rows of MeDAL": ("medal", "full", 1_000_000),
    "a split that no zip has": ("medal", "test", 1),
    "past what is there": ("medal", "train", 1_000_000),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    folder = tmp_path_factory.mktemp("hub")
    write_sparse_zip(
        folder / "pretrain_subset.zip", "pretrain_subset/train.csv", TRAIN_HEADER, train_rows(500), MEDAL_BYTES
    )
    write_whole_zip(folder / "full.zip", "full_data.csv", FULL_HEADER, full_rows(2000))
    zips = {path.name: path for path in folder.iterdir()}
    script = {"medal.py": b"no"}
    with HubDouble(REPOSITORIES | {"McGill-NLP/medal": HubRepository(script | zips)}) as hub:
        environment = os.environ | hub.environment(folder / "home") | {"PYTHONPATH": str(ROOT)}
        environment.pop("HF_TOKEN", None)
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, json.dumps(list(CASES.values()))],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
        )
        results = {}
        with process:
            for case in CASES:
                before = hub.sent
                said = json.loads(process.stdout.readline())  # type: ignore[union-attr]
                results[case] = Found(
                    rows=[(data, bad) for data, bad in said.get("rows", [])],
                    error=said.get("error", ""),
                    message=said.get("message", ""),
                    taken=hub.sent - before,
                )
                print(file=process.stdin, flush=True)
        assert process.returncode == 0
    return results


def test_a_dataset_is_streamed(found: dict[str, Found]) -> None:
    assert found["streamed"].rows == [({"question": f"Is {number} safe?", "answer": "No."}, "") for number in range(3)]
    assert len(found["whole"].rows) == 30


def test_splits_and_configurations_are_chosen_by_name(found: dict[str, Found]) -> None:
    assert found["another split"].rows == [({"q": 1, "a": 2}, "")]
    assert found["a configuration"].rows == [({"q": 3, "b": 4}, "")]


@pytest.mark.parametrize(
    ("case", "kind", "words"),
    [
        ("no such split", NotFound, "no split 'dev': choose one of train"),
        ("no train", NotFound, "no split 'train': choose one of validation, test with --split"),
        ("several configurations", NotFound, "write one of ward/configured:x, ward/configured:y"),
        ("no such configuration", NotFound, "has no configuration 'z': write one of ward/configured:x"),
        ("a script", RequestInvalid, "is a loading script, which nothing runs any more: download its data files"),
        (
            "gated",
            Unauthorized,
            "is gated: ask for access on https://huggingface.co/datasets/ward/gated, and set HF_TOKEN",
        ),
        ("private", NotFound, "shows no dataset ward/private: check the name, and if it is private, set HF_TOKEN"),
        ("unknown", NotFound, "shows no dataset ward/unknown: check the name"),
        ("empty", RequestInvalid, "has no files that can be read as rows"),
        ("damaged", RequestInvalid, "the dataset ward/damaged cannot be read"),
        ("a split that no zip has", RequestInvalid, "has a file for the split 'test'"),
        ("past what is there", RequestInvalid, "has a damaged file"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    found: dict[str, Found], case: str, kind: type[Exception], words: str
) -> None:
    assert found[case].error == kind.__name__
    assert words in found[case].message
    assert "\n" not in found[case].message


def test_ten_rows_of_a_zip_of_two_gigabytes_take_a_small_part_of_it(found: dict[str, Found]) -> None:
    ten = found["ten rows of MeDAL"]

    assert len(ten.rows) == 10
    assert ten.rows[9] == (
        {"abstract_id": 1009, "text": "the velvet antlers, va 9", "location": [3], "label": ["velvet antler"]},
        "",
    )
    assert 0 < ten.taken < 32_000_000


def test_the_split_without_ids_is_read_whole(found: dict[str, Found]) -> None:
    rows = found["all rows of MeDAL"].rows

    assert len(rows) == 2000
    assert rows[1] == (
        {"text": "the dhf of va 1", "location": [1, 3], "label": ["dihydrofolate", "velvet antler"]},
        "",
    )


def test_a_hub_that_does_not_answer_is_no_missing_dataset() -> None:
    """The libraries try for half a minute first."""
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled  # noqa: PLC0415 - slow

    with pytest.raises(SourceUnreachable, match="check the network and HF_ENDPOINT"), hub_errors("ward/a"):
        raise LocalEntryNotFoundError("no answer") from ConnectionError()
    with pytest.raises(SourceUnreachable, match="check the network"), hub_errors("ward/a"):
        raise ConnectionError("Couldn't reach 'ward/a' on the Hub")
    with pytest.raises(SourceUnreachable, match="HF_HUB_OFFLINE forbids"), hub_errors("ward/a"):
        raise OfflineModeIsEnabled
    with pytest.raises(KeyError), hub_errors("ward/a"):
        raise KeyError("a bug stays one")
