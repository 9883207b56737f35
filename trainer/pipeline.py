"""One training: annotations in, a served model out, and a manifest whatever happens."""

import logging
import shutil
from contextlib import closing

from annotune.errors import AnnotuneError, StoreUnavailable, TrainingCancelled, TrainingRefused
from annotune.log import traceback_of
from annotune.runs import TrainingRequest, TrainingRun
from trainer.active_run import ActiveRun
from trainer.context import TrainerContext
from trainer.engine import Engine, SubprocessEngine
from trainer.snapshot import current_examples
from trainer.stages.collect import ReadExamples, collect
from trainer.stages.export import convert, merge
from trainer.stages.gates import check_gates
from trainer.stages.promote import promote
from trainer.stages.register import register, removed_on_error
from trainer.stages.train import prepare, train

_log = logging.getLogger(__name__)


def run_training(
    context: TrainerContext,
    project: int,
    request: TrainingRequest,
    *,
    engine: Engine | None = None,
    read_examples: ReadExamples = current_examples,
) -> TrainingRun:
    """Train a project on what Label Studio has now, and serve the result if it passes its gates.

    Returns:
        The run as its manifest has it: promoted, waiting for a person, refused or failed, with the reason.

    Raises:
        ConfigurationError: RUNS_DIR cannot be written to.
        TrainingCancelled: `context.cancelled()` returned True; nothing is left of the run.
        StoreUnavailable: Redis is away; nothing is left of the run, unless Redis knows of a version that it made.
    """
    active = ActiveRun.begin(context, project, request)
    try:
        run_stages(active, context, engine or SubprocessEngine(context.settings.trainer_python), read_examples)
    except (TrainingCancelled, StoreUnavailable):
        if active.run.version is None:
            shutil.rmtree(active.folder, ignore_errors=True)
        raise
    except TrainingRefused as error:
        active.end("refused", str(error))
    except (AnnotuneError, OSError) as error:
        active.end("failed", str(error))
    except Exception as error:  # noqa: BLE001 - whatever it was, the run leaves a manifest that says so
        _log.error("project %d: run %s broke off\n%s", project, active.run.id, traceback_of(error))
        active.end("failed", f"a fault of the trainer's own, {type(error).__name__}: its log has the rest")
    return active.run


def run_stages(active: ActiveRun, context: TrainerContext, engine: Engine, read_examples: ReadExamples) -> None:
    """All stages in order. Each takes what it reads, and returns what later ones need."""
    settings = context.settings
    with closing(context.ollama()) as server:
        recipe, dataset = collect(active, context, server, read_examples)
        job = prepare(active, engine, recipe, dataset, settings.runs_dir)
        losses = train(active, engine, job, min_examples=settings.min_examples)
        merge(active, engine, job)
        converted = convert(active, engine, job, settings.llama_cpp_dir)
        candidate = register(active, context, server, converted, recipe)
        with removed_on_error(server.registry, candidate.model):
            verdicts = check_gates(active, candidate, dataset, losses, max_tokens=settings.max_tokens)
            active.check_cancelled("promote")
    promote(active, context, recipe, candidate, digest=converted.sha256, verdicts=verdicts)
