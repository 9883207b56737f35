"""A training on a dataset, through the real command, and a worker that is killed in its middle.

`make faults`. The training is a real one.
"""

import json
from pathlib import Path

from hospital import FIRST_PROMPT, TRAINING_S, Hospital, make_project
from services import Eventually

from curation.templates import find_template
from embedded.formulary import formulary

FACTS = 24


def test_a_training_whose_worker_is_killed_starts_anew_with_its_dataset(
    hospital: Hospital, tmp_path: Path, eventually: Eventually
) -> None:
    config = find_template("question-answering").config
    pairs = formulary(11, FACTS)
    project = make_project(hospital.label_studio, "On a dataset", config, "question", pairs[:1])
    command, store = hospital.deployment.run, hospital.store
    prompt = tmp_path / "prompt.txt"
    prompt.write_text(FIRST_PROMPT, encoding="utf-8")
    command("prompts", "set", str(project.id), str(prompt))
    facts = tmp_path / "facts.jsonl"
    rows = [{"q": pair.question, "answer": pair.answer} for pair in pairs]
    facts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    command(
        "train", str(project.id), "--dataset", str(facts), "--map", "question=q", "--without-annotations", "--no-wait"
    )
    eventually(lambda: (at := store.training.progress(project.id)) and at.stage == "train" and at.step, TRAINING_S)
    hospital.deployment.worker.stop(grace_s=0)
    assert store.training.requested(project.id)
    hospital.deployment.start_worker()
    eventually(lambda: store.runs.all(project.id), TRAINING_S)

    [run] = store.runs.all(project.id)
    assert run.state == "promoted", run.reason
    assert run.annotations == ()
    [told] = run.datasets
    assert (told.source, told.rows, told.trained + told.held_out, told.left_out) == (str(facts), FACTS, FACTS, {})
    assert run.metrics["tuned_loss"] < run.metrics["base_loss"]
