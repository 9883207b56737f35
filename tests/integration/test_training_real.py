"""A real training, from a lesson to a promoted version on a model server."""

from pathlib import Path

import pytest
from lessons import WANTED, lesson, settings_of, workshop_in

from annotune.model import ModelRef
from annotune.servers.ollama import OllamaServer, as_request
from annotune.store import Store
from trainer.runs import read_runs, run_folder
from trainer.training import run_training

PROJECT = 11


@pytest.mark.training
def test_a_lesson_becomes_a_version_that_is_live_and_served_as_it_was_trained(
    redis_url: str, model_server, trainer_python: Path, tmp_path: Path
) -> None:
    settings = settings_of(redis_url, model_server.url, tmp_path / "runs", trainer_python=str(trainer_python))
    store = Store.connect(redis_url)
    given = lesson(PROJECT)

    run = run_training(workshop_in(settings, store), PROJECT, WANTED, lesson=lambda *_: given)

    assert run.state == "promoted", run.reason
    assert run.version
    assert [(verdict.gate, verdict.passed) for verdict in run.version.verdicts] == [
        ("answers", True),
        ("rendered text", True),
        ("token count", True),
        ("stops by itself", True),
        ("held-out loss", True),
    ]
    assert (run.examples, run.held_out, run.left_out) == (12, 5, {"skipped": 2})
    assert store.live(PROJECT) == ModelRef(
        server="ollama", model=run.version.model, version="v0001", num_ctx=run.version.num_ctx
    )
    assert list(run.stages_s) == ["collect", "prepare", "train", "merge", "convert", "register", "gates"]
    assert run.metrics["tuned_loss"] < run.metrics["base_loss"]
    assert run.packages.keys() >= {"unsloth", "torch", "transformers", "ollama"}
    assert read_runs(settings.runs_dir) == [run]
    left = sorted(path.name for path in run_folder(settings.runs_dir, PROJECT, run.id).iterdir())
    assert "model.gguf" in left
    assert "merged" not in left
    server = OllamaServer(model_server.url)
    try:
        request = as_request(run.version.model, given.train[0].messages, num_ctx=run.version.num_ctx, max_tokens=32)
        assert server.chat(request, deadline_s=60).finish == "stop"
    finally:
        server.close()
