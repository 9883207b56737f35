"""A dataset of a project made by hand in the real Label Studio, with the article's config of answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
from label_studio_sdk import LabelStudio as Client

from annotune.settings import Settings
from annotune.store.store import Store
from curation.api import Annotune
from embedded.label_studio import LabelStudio

CONFIG = (Path(__file__).resolve().parents[1] / "data" / "article" / "project3.xml").read_text(encoding="utf-8")
LOAD = """import json, sys
from datasets import load_dataset
print(json.dumps(load_dataset(sys.argv[1], split="train").to_list()))"""
PROMPT = "Answer in one sentence: {text}"


def region(control: str, text: str) -> dict[str, object]:
    return {"from_name": control, "to_name": "chat", "type": "textarea", "value": {"text": [text]}}


def test_the_articles_answers_become_a_dataset_that_its_own_code_loads(
    label_studio: LabelStudio, store: Store, redis_url: str, tmp_path: Path
) -> None:
    with httpx.Client() as http:
        client = Client(base_url=label_studio.url, api_key=label_studio.api_key, httpx_client=http)
        project = client.projects.create(title="Answers", label_config=CONFIG)
        for number in range(18):
            data = {"text": f"What is sign {number}?", "abstract_id": number // 2}
            result = [region("prompt", PROMPT), region("response", f"Answer {number}")]
            task = client.tasks.create(project=project.id, data=data)
            client.annotations.create(task.id, result=result, was_cancelled=number == 17, ground_truth=number == 3)
    settings = Settings(
        label_studio_url=label_studio.url,
        label_studio_api_key=label_studio.api_key,
        redis_url=redis_url,
        default_prompt=PROMPT,
        runs_dir=tmp_path / "runs",
    )

    with Annotune(settings) as annotune:
        built = annotune.build_dataset(project.id, out=tmp_path / "set", names=True, pin_ground_truth=True)
        again = annotune.build_dataset(project.id, out=tmp_path / "set", names=True, pin_ground_truth=True)

    assert not again.is_new
    assert sum(built.manifest.counts.values()) == 17
    assert built.manifest.left_out == {"skipped": 1}
    held_out = [json.loads(line) for line in (tmp_path / "set" / "eval.jsonl").read_text().splitlines()]
    assert "What is sign 3?" in {row["question"] for row in held_out}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "set")],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = json.loads(done.stdout)
    assert {int(row["abstract_id"]) for row in rows} & {int(row["abstract_id"]) for row in held_out} == set()
    assert all(row["messages"][-1]["content"] == f"Answer in one sentence: {row['question']}" for row in rows)
    assert {row["origin"]["annotator_name"] for row in rows} == {label_studio.email}
