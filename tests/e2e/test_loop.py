"""One real round of the loop: corrections in Label Studio become a version that answers there."""

from pathlib import Path

import httpx
import pytest
from services import Eventually

from annotune.label_studio.client import LabelStudioClient
from annotune.store.store import Store
from curation.projects import create_project
from curation.templates import find_template
from embedded.annotator import Annotator
from embedded.formulary import formulary
from embedded.label_studio import LabelStudio
from trainer.run_folder import read_runs, run_folder

PROMPT = "Answer the question in one short sentence."
TRAINED, HELD_OUT = 12, 5
TRAINING_S = 900
GATES = ["answers", "rendered text", "token count", "stops by itself", "held-out loss"]
STAGES = ["collect", "prepare", "train", "merge", "convert", "register", "gates"]


@pytest.mark.training
def test_corrections_become_a_promoted_version_that_setup_predict_and_versions_name(
    short_recipe: Path,
    trainer_python: Path,
    label_studio: LabelStudio,
    studio: LabelStudioClient,
    deploy,
    store_of,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    pairs = formulary(3, TRAINED + HELD_OUT)
    deployment = deploy(
        RECIPE=str(short_recipe),
        TRAINER_PYTHON=str(trainer_python),
        TRAIN_EVERY=str(len(pairs)),
        MIN_EXAMPLES=str(TRAINED),
        MAX_TOKENS="48",
    )
    config = find_template("question-answering").config
    project = create_project(
        studio, title="One round", config=config, data=[{"question": pair.question} for pair in pairs]
    )
    deployment.run("connect", str(project.id))
    store: Store = store_of(deployment)
    with Annotator(label_studio, project.id) as person:
        before = person.ask(project.tasks[0], PROMPT)
        for task, pair in zip(project.tasks, pairs, strict=True):
            person.submit(task, PROMPT, pair.answer)
        eventually(lambda: store.runs.all(project.id), TRAINING_S)
        after = person.ask(project.tasks[0], PROMPT)

    [run] = store.runs.all(project.id)
    assert run.state == "promoted", run.reason
    assert run.version
    assert (run.examples, run.held_out) == (TRAINED, HELD_OUT)
    assert [verdict.gate for verdict in run.version.verdicts if verdict.passed] == GATES
    assert list(run.stages_s) == STAGES
    assert run.metrics["tuned_loss"] < run.metrics["base_loss"]
    assert run.packages.keys() >= {"unsloth", "torch", "transformers", "ollama"}
    [manifest] = read_runs(tmp_path / "runs", project.id)
    assert manifest.contents_by_annotation.keys() == set(run.annotations)
    assert manifest.model_copy(update={"contents": ()}) == run
    left = {path.name for path in run_folder(tmp_path / "runs", project.id, run.id).iterdir()}
    assert left >= {"manifest.json", "model.gguf", "dataset"}
    assert "merged" not in left
    assert store.live.get(project.id) == run.version.ref
    assert before.model_version.startswith("smollm2:135m")
    assert after.model_version.startswith(run.version.model)
    assert after.text != before.text
    told = {"project": f"{project.id}.1", "schema": config, "extra_params": None}
    assert httpx.post(f"{deployment.url}/setup", json=told).json() == {"model_version": after.model_version}
    assert run.version.model in httpx.get(f"{deployment.url}/versions").text
    body = {
        "tasks": [{"id": project.tasks[1], "data": {"question": pairs[1].question}}],
        "project": f"{project.id}.1",
        "label_config": config,
        "params": {"context": None},
    }
    predicted = httpx.post(f"{deployment.url}/predict", json=body, timeout=60).json()["results"]
    assert [prediction["model_version"] for prediction in predicted] == [after.model_version]
