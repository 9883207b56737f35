"""One real round of the loop: corrections in Label Studio become a version that answers there."""

from pathlib import Path

import httpx
import pytest
from label_studio_sdk import LabelStudio as Client
from services import Eventually

from annotune.recipe import RECIPES
from annotune.store import Store
from curation.projects import create_project, labeling_config
from embedded.annotator import Annotator
from embedded.formulary import formulary
from embedded.label_studio import LabelStudio

PROMPT = "Answer the question in one short sentence."
TRAINED, HELD_OUT = 12, 5
SHORTER = {"epochs = 8": "epochs = 0", "max_steps = 0": "max_steps = 18", "rate = 2e-3": "rate = 5e-4"}
TRAINING_S = 900


@pytest.fixture
def short_recipe(tmp_path: Path) -> Path:
    """The small recipe with fewer and smaller steps: with so few examples its own learn them by heart, which a
    held-out loss above the base's tells.
    """
    text = (RECIPES / "small.toml").read_text(encoding="utf-8")
    for was, now in SHORTER.items():
        assert was in text
        text = text.replace(was, now)
    path = tmp_path / "short.toml"
    path.write_text(text)
    return path


@pytest.mark.training
def test_corrections_become_a_promoted_version_that_setup_predict_and_versions_name(
    short_recipe: Path,
    trainer_python: Path,
    label_studio: LabelStudio,
    client: Client,
    deploy,
    store: Store,
    eventually: Eventually,
) -> None:
    pairs = formulary(3, trained=TRAINED, held_out=HELD_OUT)
    deployment = deploy(
        RECIPE=str(short_recipe), TRAINER_PYTHON=str(trainer_python), TRAIN_EVERY=str(len(pairs)), MAX_TOKENS="48"
    )
    config = labeling_config("question-answering")
    project = create_project(
        client, title="One round", config=config, data=[{"question": pair.question} for pair in pairs]
    )
    deployment.run("connect", str(project.id))
    with Annotator(label_studio, project.id) as person:
        before = person.ask(project.tasks[0], PROMPT)
        for task, pair in zip(project.tasks, pairs, strict=True):
            person.submit(task, PROMPT, pair.answer)
        eventually(lambda: store.runs(project.id), TRAINING_S)
        after = person.ask(project.tasks[0], PROMPT)

    [run] = store.runs(project.id)
    assert run.state == "promoted", run.reason
    assert run.version
    assert (run.examples, run.held_out) == (TRAINED, HELD_OUT)
    assert store.live(project.id) == run.version.ref
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
