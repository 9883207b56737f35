"""Promote: the version is saved, and goes live if it passed its gates and nothing else stands against it."""

from collections.abc import Iterable
from datetime import UTC, datetime

from annotune.models import ModelVersion, Verdict
from annotune.promotion import go_live, reason_to_wait
from annotune.recipe import Recipe
from annotune.runs import TrainingRun
from trainer.active_run import ActiveRun
from trainer.context import TrainerContext
from trainer.mark import restore_if_emptied
from trainer.run_folder import write_manifest
from trainer.stages.gates import Candidate

DEFAULT_MODEL = "the model of the environment"


def promote(
    active: ActiveRun,
    context: TrainerContext,
    recipe: Recipe,
    candidate: Candidate,
    *,
    digest: str,
    verdicts: tuple[Verdict, ...],
) -> None:
    """Save the version and end the run: promoted, waiting for a person, or refused.

    Args:
        active: the run that made it.
        context: settings and Redis.
        recipe: the one that it was trained with.
        candidate: the model on the server.
        digest: hex SHA-256 of its file.
        verdicts: of all gates.
    """
    version = save_version(active, context, candidate, digest, verdicts)
    if version.state == "refused":
        active.end("refused", version.reason)
        return
    store, project, replaces = context.store, active.run.project, active.run.replaces
    restore_if_emptied(store, context.settings.runs_dir, project)
    why = reason_to_wait(context.settings, store, recipe, project, replaces)
    if why := why or reason_of_datasets(active.run, store.runs.all(project)):
        active.end("waiting", why)
        return
    # If this process dies at this moment, the manifest has the run, and the pointer says which model is live.
    active.update(state="waiting", reason="it passed its gates", ended_at=datetime.now(UTC))
    write_manifest(active.folder, active.run)
    if go_live(store, version, replaces):
        active.update(version=version.model_copy(update={"state": "promoted"}))
        active.end("promoted", f"it passed its gates and replaces {replaces or DEFAULT_MODEL}")
    else:
        active.end(
            "waiting",
            f"it passed, but while it trained {store.live.get(project) or DEFAULT_MODEL} went live in place of"
            f" {replaces or DEFAULT_MODEL}: run 'annotune models promote {project}' to make it live",
        )


def reason_of_datasets(run: TrainingRun, runs: Iterable[TrainingRun]) -> str | None:
    """Why a version waits that did not learn from a dataset from which the live one did; None if it learnt from all.

    `runs` are those of the project.
    """
    live = next((each for each in runs if each.version and run.replaces and each.version.ref == run.replaces), None)
    known = {found.source for found in run.datasets}
    lost = [found.source for found in live.datasets if found.source not in known] if live else []
    if not lost:
        return None
    again = "".join(f" --dataset {source}" for source in lost)
    return (
        f"it passed, but the live version was also trained on {', '.join(lost)}, and this one was not: run 'annotune train"
        f" {run.project}{again}' instead, or 'annotune models promote {run.project}' to make it live all the same"
    )


def save_version(
    active: ActiveRun, context: TrainerContext, candidate: Candidate, digest: str, verdicts: tuple[Verdict, ...]
) -> ModelVersion:
    """Save what was made, a candidate or refused, in Redis and in the run."""
    version = ModelVersion(
        project=active.run.project,
        number=active.run.number,
        model=candidate.model,
        digest=digest,
        run=active.run.id,
        created_at=datetime.now(UTC),
        num_ctx=candidate.num_ctx,
        state="candidate" if all(verdict.passed for verdict in verdicts) else "refused",
        verdicts=verdicts,
    )
    context.store.versions.save(version)
    active.update(version=version)
    return version
