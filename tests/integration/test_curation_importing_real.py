"""Rows become tasks of the real Label Studio: what it takes, what it refuses, and how it gives them back."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from annotune.settings import Settings
from curation.api import Annotune
from curation.templates import find_template
from embedded.label_studio import LabelStudio

REGION = {"from_name": "response", "to_name": "question", "type": "textarea", "value": {"text": ["No."]}}
AWKWARD = 'Ünïcode 😀 "quoted"\n\ttabbed\u2028 </script> {"a": 1}'
TASKS = [
    {"data": {"question": "Is it safe?", "answer": "No.", "score": 0.1, "big": 10**20, "nested": {"b": [1.0, None]}}},
    {"data": {"question": AWKWARD, "answer": ""}},
    {
        "data": {"question": "Who answered?", "answer": "A nurse."},
        "annotations": [{"id": 7, "result": [{"id": "a", **REGION}]}, {"result": [], "was_cancelled": True}],
        "predictions": [{"result": [{"id": "b", **REGION}], "model_version": "v1", "score": 0.5}],
    },
    {"data": {"question": {"no": "text"}, "answer": ""}},
    {"data": {"question": "Whose is it?", "answer": ""}, "annotations": [{"result": [], "completed_by": 987}]},
]


@pytest.fixture(scope="module")
def project(label_studio: LabelStudio, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("rows")
    (folder / "tasks.json").write_text(json.dumps(TASKS))
    return label_studio.url, folder


def test_rows_are_imported_once_with_what_belongs_to_them(
    project: tuple[str, Path], label_studio: LabelStudio, redis_url: str
) -> None:
    url, folder = project
    settings = Settings(redis_url=redis_url, label_studio_url=url, label_studio_api_key=SecretStr(label_studio.api_key))
    with Annotune(settings) as annotune:
        client = annotune.context.label_studio
        number = client.projects.create("Imported", find_template("medchat").config)

        first, again = (
            annotune.import_rows(number, str(folder / "tasks.json"), bad_rows=folder / "bad.jsonl") for _ in range(2)
        )

        tasks = list(client.tasks.by_id(number))
    assert (first.read, first.imported, first.present, first.bad_count) == (5, 3, 0, 2)
    assert (again.read, again.imported, again.present, again.bad_count) == (5, 0, 3, 2)
    assert [task.data for task in tasks] == [task["data"] for task in TASKS[:3]]
    answered, skipped = tasks[2].annotations
    assert answered.result[0]["value"] == {"text": ["No."]}
    assert (answered.ground_truth, answered.was_cancelled, skipped.was_cancelled) == (False, False, True)
    assert [prediction.model_version for prediction in tasks[2].predictions] == ["v1"]
    said = [json.loads(line) for line in (folder / "bad.jsonl").read_text().splitlines()]
    assert [each["row"] for each in said] == [4, 5]
    assert "data['question'] is of type 'dict', but the object tag Text expects" in said[0]["reason"]
    assert "text" not in said[0]["reason"]
    assert "completed_by=987" in said[1]["reason"]
