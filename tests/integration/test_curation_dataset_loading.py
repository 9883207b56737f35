"""`datasets.load_dataset` reads the folder with typed columns: with the service's version and with the trainer's."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from annotune.chat import Message
from curation.dataset import write_dataset
from curation.dataset_card import card
from curation.example import Example, Origin
from curation.manifest import About

LOAD = """
import json, sys
from datasets import load_dataset
loaded = {}
for folder in sys.argv[2:]:
    splits = load_dataset(folder, cache_dir=sys.argv[1])
    loaded[folder.rpartition("/")[2]] = {
        name: {"features": {k: repr(v) for k, v in rows.features.items()}, "rows": rows.to_list()}
        for name, rows in splits.items()
    }
train = load_dataset(sys.argv[2], split="train", cache_dir=sys.argv[1])
asked = train.map(lambda rows: {"text": [q + a for q, a in zip(rows["question"], rows["answer"])]}, batched=True)
json.dump({"loaded": loaded, "asked": asked["text"][:]}, sys.stdout)
"""
ORIGIN = {"project": 1, "prompt_sha": "ab", "kind": "typed"}


def example(number: int, **more: Any) -> Example:
    origin = Origin(task=number, annotation=number, annotator=more.pop("annotator", None), **ORIGIN)
    messages = (Message("system", "Be exact."), Message("user", "Why?"))
    return Example(messages=messages, question="Why?", answer=f"Answer {number}", origin=origin, **more)


@pytest.fixture(params=["service", "trainer"])
def python(request: pytest.FixtureRequest) -> str:
    return sys.executable if request.param == "service" else str(request.getfixturevalue("trainer_python"))


def test_each_folder_loads_with_the_same_typed_columns(python: str, tmp_path: Path) -> None:
    nulls, full = example(1), example(2, abstract_id="14", annotator=3)
    write_dataset(tmp_path / "mixed", [nulls, full], [full])
    write_dataset(tmp_path / "nulls", [nulls], [example(4)])
    write_dataset(tmp_path / "train", [full], [])
    folders = [str(tmp_path / name) for name in ("mixed", "nulls", "train")]

    done = subprocess.run(
        [python, "-c", LOAD, str(tmp_path / "cache"), *folders],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    loaded = found["loaded"]
    assert {name: list(splits) for name, splits in loaded.items()} == {
        "mixed": ["train", "eval"],
        "nulls": ["train", "eval"],
        "train": ["train"],
    }
    features = [splits[name]["features"] for splits in loaded.values() for name in splits]
    assert all(each == features[0] for each in features)
    assert list(features[0]) == ["id", "messages", "question", "answer", "abstract_id", "origin"]
    assert "null" not in json.dumps(features[0])
    assert "'annotator': Value('int64')" in features[0]["origin"]
    assert [row["abstract_id"] for row in loaded["mixed"]["train"]["rows"]] == [None, "14"]
    assert loaded["mixed"]["train"]["rows"][0]["messages"][0] == {"role": "system", "content": "Be exact."}
    assert found["asked"] == ["Why?Answer 1", "Why?Answer 2"]


def test_the_declared_columns_are_those_of_the_rows() -> None:
    header = card({"train": 1, "eval": 0}, About(), with_names=True).partition("\n---\n")[0]
    declared = [line.rpartition(": ")[2] for line in header.splitlines() if "- name:" in line]

    assert declared == [
        *("id", "messages", "role", "content", "question", "answer", "abstract_id", "origin"),
        *Origin.model_fields,
        "annotator_name",
    ]
