"""The scores that Label Studio shows: those of the version that answers.

Facts of Label Studio 1.23.2. The Data Manager's Prediction score averages predictions of exactly the version that is the
project's `model_version`, which is the title of the backend once one is connected. Where it is no backend's title, the
label stream asks no backend for a task that lacks a prediction. So the backend gets the version that it tells as its title,
and Label Studio lets the project follow. Listing a project's backends asks each for its version.
"""

import logging
from contextlib import closing

from annotune.errors import AnnotuneError, StoreUnavailable
from annotune.label_studio.client import LabelStudioClient
from annotune.serving import ServingResolver
from trainer.context import TrainerContext

_log = logging.getLogger(__name__)


def show_scores(context: TrainerContext, project: int) -> None:
    """Let Label Studio show the scores of what answers now; where it does not, the log says so once, and `status`.

    Raises:
        StoreUnavailable: Redis is away.
    """
    try:
        told = ServingResolver(context.settings, context.store).resolve(project).model_version
        with closing(context.studio()) as studio:
            why = _follow(studio, project, told)
    except StoreUnavailable:
        raise
    except AnnotuneError as error:
        why = str(error)
    reports = context.store.reports
    if why != reports.scores_missing(project):
        if why:
            _log.warning("project %d: Label Studio does not show the scores of what answers: %s", project, why)
        reports.set_scores_missing(project, why)


def _follow(studio: LabelStudioClient, project: int, told: str) -> str:
    """Why it does not show them; empty where it does, or where no backend of the project tells this version."""
    shown = studio.projects.get(project).model_version
    if shown == told:
        return ""
    backend = next((row for row in studio.backends.of_project(project) if row.model_version == told), None)
    if backend is None:
        return ""
    if shown not in {"", backend.title}:
        return (
            f"its settings (Annotation, Prelabeling) choose {shown!r}: that stays; choose {backend.title!r} there to see"
            " the scores of what answers"
        )
    if backend.title != told:
        studio.backends.rename(project, backend, told)
        _log.info("project %d: its backend is called %s now, so that Label Studio shows its scores", project, told)
    if not shown:
        studio.projects.show_predictions_of(project, told)
    return ""
