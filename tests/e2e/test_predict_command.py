"""`annotune predict` with the real Label Studio, a real model and a real Redis: interrupted, and run again."""

import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from services import Eventually, ServedModel, annotune_command

from annotune.label_studio.client import LabelStudioClient
from annotune.prompt import ProjectPrompt
from annotune.serving import ServingResolver
from annotune.settings import Settings
from annotune.store.store import Store
from curation.projects import create_project
from curation.templates import find_template
from embedded.deployment import ROOT, Deployment

TASKS = 12
PROMPT = "Answer in one short sentence."
SOON_S = 120


@pytest.fixture
def deployment(describe, tmp_path: Path) -> Deployment:
    """Nothing of it runs: the command needs neither the backend nor the worker."""
    return describe(tmp_path, MODEL_CONCURRENCY="2")


def test_interrupted_and_run_again_each_task_has_one_prediction(
    deployment: Deployment,
    studio: LabelStudioClient,
    store_of,
    run,
    model_server: ServedModel,
    eventually: Eventually,
) -> None:
    data = [{"question": f"What is {number} and {number}?"} for number in range(TASKS)]
    project = create_project(studio, title="Predicted", config=find_template("question-answering").config, data=data)
    store: Store = store_of(deployment)
    store.prompts.add(project.id, ProjectPrompt(text=PROMPT, source="command", at=datetime.now(UTC)))
    live = ServingResolver(Settings(openai_provider="ollama", openai_model=model_server.model), store)
    version = live.resolve(project.id).model_version

    def versions() -> list[list[str | None]]:
        return [[found.model_version for found in task.predictions] for task in studio.tasks.by_id(project.id)]

    rehearsed = run(deployment, "predict", str(project.id), "--dry-run")
    assert f"{TASKS} tasks would be asked of ollama:{model_server.model} as {version}, 0 skipped" in rehearsed
    assert f"(counted on {TASKS} tasks)" in rehearsed
    assert versions() == [[]] * TASKS

    running = subprocess.Popen(
        [*annotune_command(), "predict", str(project.id)],
        env=deployment.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    eventually(lambda: sum(map(len, versions())) >= 2, SOON_S)
    running.send_signal(signal.SIGINT)
    told, _ = running.communicate(timeout=SOON_S)
    pushed = sum(map(len, versions()))

    assert running.returncode == 130, told
    assert f"{pushed} predictions pushed" in told
    assert pushed < TASKS

    again = run(deployment, "predict", str(project.id), "--tasks", f"{project.tasks[0]}-{project.tasks[-1]}")

    assert f"{TASKS - pushed} predictions pushed, {pushed} tasks skipped, 0 failed" in again
    assert versions() == [[version]] * TASKS
    first, *_ = studio.tasks.by_id(project.id, (range(project.tasks[3], project.tasks[3] + 1),))
    assert first.id == project.tasks[3]
    [prediction] = first.predictions
    told = {region["from_name"]: region["value"]["text"] for region in prediction.result}
    assert told["prompt"] == [PROMPT]
    assert told["response"][0] in {answer.text for answer in store.answers.known(project.id, first.id)}
