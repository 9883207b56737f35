"""What the tests of the trainer share: examples, settings, contexts and runs."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotune.prompt import Prompt
from annotune.runs import TrainingRequest, TrainingRun
from annotune.servers.ollama import OllamaClient
from annotune.settings import Settings, load_settings
from annotune.split import SplitName, assign_splits
from annotune.store.connection import open_store
from annotune.store.store import Store
from curation.example import Example, Origin
from curation.examples import ExampleSet
from embedded.formulary import formulary
from trainer.context import TrainerContext

ASK = Prompt("Answer in one sentence.", "{prompt}\n\n{text}")
BASE = "smollm2:135m"
MIN_EXAMPLES = 10
REQUEST = TrainingRequest(requested_by="a test", at=datetime(2026, 11, 23, tzinfo=UTC))


def example_set(project: int, trained: int = 12, held_out: int = 5) -> ExampleSet:
    """Corrections of invented questions, so many on each side of the split."""
    examples = []
    sides: dict[str, SplitName] = {}
    for number, pair in enumerate(formulary(project, trained + held_out), start=1):
        origin = Origin(
            project=project,
            task=number,
            annotation=1000 + number,
            annotator=1,
            prompt_sha=ASK.sha,
            kind="corrected",
            said="I do not know.",
            content=f"content {number}",
        )
        messages = ASK.render({"text": pair.question}, text=pair.question)
        examples.append(Example(messages=messages, answer=pair.answer, origin=origin))
        sides[f"{number:064x}"] = "train" if number <= trained else "eval"
    lacks = assign_splits(sides, list(sides), MIN_EXAMPLES, has_trained=True).lacks
    return ExampleSet(tuple(examples[:trained]), tuple(examples[trained:]), {"skipped": 2}, REQUEST.at, lacks)


def settings_of(redis_url: str, ollama_url: str, runs_dir: Path, **others: Any) -> Settings:
    """Where the base answers by default, and a version over it goes live by itself."""
    defaults = {
        "redis_url": redis_url,
        "ollama_endpoint": ollama_url,
        "openai_provider": "ollama",
        "openai_model": BASE,
        "runs_dir": runs_dir,
        "recipe": "small",
        "deployment": "test",
    }
    return load_settings(**defaults | others)


def context_without_label_studio(settings: Settings, store: Store) -> TrainerContext:

    def studio() -> Any:
        raise AssertionError("nobody asked for Label Studio")

    return TrainerContext(settings, store, open_store(settings).jobs, studio, lambda: OllamaClient(settings.ollama_url))


def with_settings(context: TrainerContext, **changed: Any) -> TrainerContext:
    return replace(context, settings=context.settings.model_copy(update=changed))


def ended_run(project: int, request: TrainingRequest, state: str = "promoted") -> TrainingRun:
    now = datetime.now(UTC)
    fields = {"id": f"{now.timestamp()}", "project": project, "number": 1, "state": state, "started_at": now}
    return TrainingRun.model_validate({**fields, "ended_at": now, "requested_by": request.requested_by})
