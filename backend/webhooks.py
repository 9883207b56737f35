"""Events of Label Studio. An event is a hint that something changed; the data are read from Label Studio.

There is one exception. Without Label Studio's address and an API key, nobody can read Label Studio, so a project's prompt is
taken from the event.
"""

import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypedDict

from annotune.errors import LabelingInvalid, RecordUnreadable, RequestInvalid, StoreUnavailable
from annotune.labeling.regions import region_text
from annotune.prompt import ProjectPrompt
from annotune.runs import TrainingRequest
from annotune.store.prompts import text_sha
from backend.requests import Annotation, Event
from backend.services import Services

TRAIN = "START_TRAINING"
UPDATED = "ANNOTATION_UPDATED"
SUBMITTED = frozenset({"ANNOTATION_CREATED", UPDATED, "ANNOTATIONS_CREATED"})
RELEVANT_PREFIXES = ("ANNOTATION", "TASK", "PROJECT")
log = logging.getLogger(__name__)


class Acknowledged(TypedDict):
    """The reply to a webhook. `queued`: a job will handle the event."""

    action: str
    queued: bool
    message: str


def handle_event(services: Services, project: int, action: str, event: Event) -> Acknowledged:
    """Queue what an event asks for.

    Raises:
        StoreUnavailable: the event asks for a training, and Redis is away. Any other change is found by the next sync.
    """
    if action == TRAIN:
        return _queue_training(services, project)
    if not action.startswith(RELEVANT_PREFIXES):
        return {"action": action, "queued": False, "message": "nothing to do for this action"}
    try:
        if action in SUBMITTED and not services.settings.has_label_studio:
            _take_prompts(services, project, event)
        services.jobs.changed(project)  # last, because the queued sync stores a new prompt too
    except StoreUnavailable as error:
        log.warning("project %d: %s was not queued: %s", project, action, error)
        return {
            "action": action,
            "queued": False,
            "message": f"{error}; the next sync with Label Studio finds the change",
        }
    return {"action": action, "queued": True, "message": f"project {project} will be synced"}


def _queue_training(services: Services, project: int) -> Acknowledged:
    report = services.store.workers.last_report() if services.store.workers.alive() else None
    if report is not None and report.cannot_train:
        log.warning(
            "project %d: no training is queued, since the worker cannot train: %s", project, report.cannot_train
        )
        return {"action": TRAIN, "queued": False, "message": f"the worker cannot train: {report.cannot_train}"}
    request = TrainingRequest(requested_by="Label Studio", at=datetime.now(UTC))
    if not services.store.training.request(project, request):
        return {"action": TRAIN, "queued": False, "message": f"a training of project {project} is waiting or running"}
    services.jobs.train(project)
    message = f"project {project} will be trained"
    with suppress(StoreUnavailable, RecordUnreadable):  # the training is queued anyway
        if (summary := services.store.changes.summary(project)) and summary.lacks:
            message += f"; at the last sync with Label Studio: {summary.lacks}"
    return {"action": TRAIN, "queued": True, "message": message}


def _take_prompts(services: Services, project: int, event: Event) -> None:
    """Make the prompts of an event's annotations the project's."""
    if event.project is None or event.project.label_config is None or not event.annotation:
        return
    try:
        control = services.labeling(event.project.label_config).prompt_control
    except LabelingInvalid as error:
        log.warning("project %d: no prompt can be taken: %s", project, error)
        return
    for annotation in event.annotation:
        text = None if annotation.was_cancelled or control is None else region_text(annotation.result, control)
        if text is not None and not _is_predicted(services, project, annotation, control, text):
            _take_prompt(services, project, annotation, text, updated=event.action == UPDATED)


def _is_predicted(services: Services, project: int, annotation: Annotation, control: str | None, text: str) -> bool:
    """Whether the annotation's prediction brought the prompt.

    An event mostly has only the prediction's id. Then the log of answers says which prompts the predictions brought.
    """
    if annotation.prediction and region_text(annotation.prediction.result, control) == text:
        return True
    if annotation.parent_prediction is None or annotation.task is None:
        return False
    answers = services.answer_log.read(project, annotation.task)
    return any(answer.prompt == text and not answer.typed for answer in answers)


def _take_prompt(services: Services, project: int, annotation: Annotation, text: str, *, updated: bool) -> None:
    """Make an annotation's prompt the project's, unless the project has a newer one.

    A person who corrects an answer leaves the prompt beside it unchanged. So an update counts only if its prompt is new.
    """
    prompts = services.store.prompts
    at = annotation.updated_at or datetime.now(UTC)
    newest, known = prompts.newest(project), prompts.known(project)
    prompts.add_seen(project, [text])
    if newest and (newest.text == text or newest.at > at or (updated and text_sha(text) in known)):
        return
    prompts.add(project, ProjectPrompt(text=text, source=f"annotation {annotation.id}", at=at))
    log.info("project %d: annotation %d brings a new version of its prompt", project, annotation.id)


def project_of(event: Event) -> int | None:
    """The id of an event's project; None if the webhook sends no payload.

    Raises:
        RequestInvalid: the event asks for a training and names no project.
    """
    if event.project is None and event.action == TRAIN:
        raise RequestInvalid("the field 'project' is missing: START_TRAINING must say of which project")
    return event.project.id if event.project else None
