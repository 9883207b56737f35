"""What an event of Label Studio sets going: a hint that something changed, never the data itself.

One exception: without its address and an API key nobody can look at Label Studio, so that a project's prompt is taken
from the event.
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
TELLING = ("ANNOTATION", "TASK", "PROJECT")
log = logging.getLogger(__name__)


class Acknowledged(TypedDict):
    """The answer to a webhook. `queued`: a job will see to it."""

    action: str
    queued: bool
    message: str


def handle_event(services: Services, project: int, action: str, event: Event) -> Acknowledged:
    """Note an event.

    Raises:
        StoreUnavailable: a training was asked for while Redis is away; of all else the next look at Label Studio learns.
    """
    if action == TRAIN:
        return _train(services, project)
    if not action.startswith(TELLING):
        return {"action": action, "queued": False, "message": "nothing to do for this action"}
    try:
        if action in SUBMITTED and not _can_look(services):
            for annotation in event.annotation:
                _take_prompt(services, project, annotation, event, updated=action == UPDATED)
        services.jobs.changed(project)  # last: the look that it queues writes a new prompt down
    except StoreUnavailable as error:
        log.warning("project %d: %s was not queued: %s", project, action, error)
        return {
            "action": action,
            "queued": False,
            "message": f"{error}; the next look at Label Studio finds the change",
        }
    return {"action": action, "queued": True, "message": f"project {project} will be looked at"}


def _can_look(services: Services) -> bool:
    settings = services.settings
    return settings.label_studio_url is not None and settings.label_studio_api_key is not None


def _train(services: Services, project: int) -> Acknowledged:
    findings = services.store.workers.last_report() if services.store.workers.alive() else None
    if findings is not None and findings.cannot_train:
        log.warning(
            "project %d: no training is queued, since the worker cannot train: %s", project, findings.cannot_train
        )
        return {"action": TRAIN, "queued": False, "message": f"the worker cannot train: {findings.cannot_train}"}
    request = TrainingRequest(requested_by="Label Studio", at=datetime.now(UTC))
    if not services.store.training.request(project, request):
        return {"action": TRAIN, "queued": False, "message": f"a training of project {project} is waiting or running"}
    services.jobs.train(project)
    message = f"project {project} will be trained"
    with suppress(StoreUnavailable, RecordUnreadable):  # it is queued all the same
        if (tally := services.store.changes.summary(project)) and tally.lacks:
            message += f"; at the last look at Label Studio: {tally.lacks}"
    return {"action": TRAIN, "queued": True, "message": message}


def _take_prompt(services: Services, project: int, annotation: Annotation, event: Event, *, updated: bool) -> None:
    """Make an annotation's prompt the project's, unless its prediction brought it along or a newer one is known.

    Whoever corrects an answer leaves the prompt beside it as it is: an update brings only a text that was never seen.
    """
    text, book = _prompt_of(services, annotation, event), services.store.prompts
    if text is None or _came_along(services, project, annotation, text, event):
        return
    at = annotation.updated_at or datetime.now(UTC)
    newest, known = book.newest(project), book.known(project)
    book.add_seen(project, [text])
    if newest and (newest.text == text or newest.at > at or (updated and text_sha(text) in known)):
        return
    services.store.prompts.add(project, ProjectPrompt(text=text, source=f"annotation {annotation.id}", at=at))
    log.info("project %d: annotation %d brings a new version of its prompt", project, annotation.id)


def _prompt_of(services: Services, annotation: Annotation, event: Event) -> str | None:
    control = _prompt_control(services, event)
    if annotation.was_cancelled or control is None:
        return None
    return region_text(annotation.result, control)


def _prompt_control(services: Services, event: Event) -> str | None:
    if event.project is None or event.project.label_config is None:
        return None
    try:
        return services.labeling(event.project.label_config).prompt_control
    except LabelingInvalid as error:
        log.warning("project %d: no prompt can be taken: %s", event.project.id, error)
        return None


def _came_along(services: Services, project: int, annotation: Annotation, text: str, event: Event) -> bool:
    """An event mostly names its prediction by id only: then the log tells which prompts predictions brought."""
    control = _prompt_control(services, event)
    if annotation.prediction and region_text(annotation.prediction.result, control) == text:
        return True
    if annotation.parent_prediction is None or annotation.task is None:
        return False
    given = services.answer_log.read(project, annotation.task)
    return any(answer.prompt == text and not answer.typed for answer in given)


def project_of(event: Event) -> int | None:
    """The project that an event is about; None where the webhook sends no payload.

    Raises:
        RequestInvalid: a training is asked for, but not of which project.
    """
    if event.project is None and event.action == TRAIN:
        raise RequestInvalid("the field 'project' is missing: START_TRAINING must say of which project")
    return event.project.id if event.project else None
