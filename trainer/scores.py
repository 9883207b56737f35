"""Lets Label Studio show the scores of the version that answers.

Facts of Label Studio 1.23.2. The Data Manager's Prediction score is the average over predictions of exactly one version,
the project's `model_version`. That is the title of the backend once one is connected. Where it is no backend's title, the
label stream asks no backend for a task that lacks a prediction. So the backend gets its version as its title, and Label
Studio changes the project's `model_version` with it.
"""

import logging
from contextlib import closing

from annotune.errors import AnnotuneError, StoreUnavailable
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import ProjectRow
from annotune.serving import ServingResolver
from trainer.context import TrainerContext

_log = logging.getLogger(__name__)


def show_scores(context: TrainerContext, project: ProjectRow) -> None:
    """Let a project show the scores of the version that answers now. Where it cannot, the log and `status` say why.

    The log says it once.

    Raises:
        StoreUnavailable: Redis is away.
    """
    why = ""
    try:
        version = ServingResolver(context.settings, context.store).resolve(project.id).model_version
        if project.model_version != version:
            with closing(context.studio()) as studio:
                why = _show(studio, project.id, version)
    except StoreUnavailable:
        raise
    except AnnotuneError as error:
        why = str(error)
    reports = context.store.reports
    if why != reports.scores_missing(project.id):
        if why:
            _log.warning("project %d: Label Studio does not show the scores of what answers: %s", project.id, why)
        reports.set_scores_missing(project.id, why)


def _show(studio: LabelStudioClient, project: int, version: str) -> str:
    """Why the project does not show this version; empty where it does, or where none of its backends has it.

    The project is read now: a person may have chosen another version while the tasks were read.
    """
    shown = studio.projects.get(project).model_version
    if shown == version:
        return ""
    backend = next((row for row in studio.backends.of_project(project) if row.model_version == version), None)
    if backend is None:
        return ""
    # The description is the first title. Label Studio saves projects whole: a change that began before the backend was
    # renamed, such as the one that `annotune connect` makes, may bring that title back.
    if shown not in {"", backend.title, backend.description}:
        return (
            f"its settings (Annotation, Prelabeling) choose {shown!r}: that stays; choose {backend.title!r} there to see"
            " the scores of what answers"
        )
    if backend.title != version:
        studio.backends.rename(project, backend, version)
        _log.info("project %d: its backend is called %s now, so that Label Studio shows its scores", project, version)
    if shown != backend.title:
        studio.projects.show_predictions_of(project, version)
    return ""
