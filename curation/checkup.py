"""Checks a connected project: the model that answers, the worker, and the way of Label Studio's events."""

import time
from collections.abc import Iterator

import httpx
from pydantic import BaseModel, ValidationError

from annotune.checks import check_model, check_worker
from annotune.deadline import Deadline
from annotune.network import AnswerTooLarge, get, post
from annotune.serving import ServingResolver
from annotune.store.workers import Check, WorkerReport
from curation.backend_address import BackendAddress
from curation.context import CurationContext

CHECK_S = 10.0
EVENT_S = 6.0  # Label Studio gives a webhook 1 s
HEALTH_AGE_S = 15.0  # a backend checks its parts every 10 s
FIRST_REPORT_S = 10.0
FULL_REPORT_S = 60.0  # the trainer's check loads torch
STILL_CHECKED = "is still being checked: connect again in a minute"
POLL_S = 0.1


class BackendPart(BaseModel):
    """The state of one part in the body of a backend's `/health`."""

    ok: bool | None
    detail: str


class BackendHealth(BaseModel):
    """The parts of the body of `/health` that only the backend can check."""

    checked_at: str | None
    label_studio: BackendPart
    model_servers: dict[str, BackendPart]


def checkup(context: CurationContext, project: int, address: BackendAddress) -> Iterator[Check]:
    """Check one part after the other. Raises StoreUnavailable if Redis is away."""
    context.store.probe()
    yield check_model(context.settings, ServingResolver(context.settings, context.store).resolve(project))
    yield from _check_worker(context)
    yield _check_events(context, project, address)
    yield from _failed_at_backend(address)


def _check_worker(context: CurationContext) -> Iterator[Check]:
    """Is a worker alive, can it learn, and can it train?"""
    report, worker = _final_report(context), check_worker(context.store)
    if not worker.ok:
        yield worker
        return
    if report is None:
        yield Check(part="worker", ok=True, detail="alive; its version does not report what it can do")
        return
    problem = report.cannot_learn or ("" if report.label_studio.ok else f"Label Studio {STILL_CHECKED}")
    if problem:
        yield Check(part="worker", ok=False, detail=f"alive, but it cannot learn: {problem}")
    else:
        yield Check(part="worker", ok=True, detail="alive, and it can learn")
    trainer = report.trainer
    if report.recipe.ok is False:
        yield Check(part="training", ok=True, detail=report.recipe.detail)
    elif not problem:
        detail = f"the trainer {STILL_CHECKED}" if trainer.ok is None else trainer.detail
        yield Check(part="training", ok=bool(trainer.ok), detail=detail)


def _final_report(context: CurationContext) -> WorkerReport | None:
    """The worker's report. A worker that has just started gets time to finish its checks."""
    began = time.monotonic()
    while True:
        report, waited_s = context.store.workers.last_report(), time.monotonic() - began
        if waited_s > (FULL_REPORT_S if report else FIRST_REPORT_S) or (report and not _is_unfinished(report)):
            return report
        time.sleep(POLL_S)


def _is_unfinished(report: WorkerReport) -> bool:
    """Will the worker report more?"""
    learns, trains = report.label_studio.ok, report.recipe.ok
    return learns is None or bool(learns and trains and report.trainer.ok is None)


def _check_events(context: CurationContext, project: int, address: BackendAddress) -> Check:
    """Do Label Studio's events reach this Redis? Saving the project unchanged makes Label Studio send one."""
    before = context.store.changes.count(project)
    context.label_studio.projects.save_unchanged(project)
    if _event_arrives(context, project, before):
        return Check(part="events", ok=True, detail="Label Studio's events reach the backend and this Redis")
    reason = _why_events_are_lost(context, project, address)
    return Check(part="events", ok=False, detail=f"Label Studio's events do not reach this Redis: {reason}")


def _event_arrives(context: CurationContext, project: int, before: int) -> bool:
    ends = time.monotonic() + EVENT_S
    while context.store.changes.count(project) <= before:
        if time.monotonic() > ends:
            return False
        time.sleep(POLL_S)
    return True


def _why_events_are_lost(context: CurationContext, project: int, address: BackendAddress) -> str:
    """Send an event to the backend from here, and see whether it arrives."""
    before = context.store.changes.count(project)
    event = {"action": "PROJECT_UPDATED", "project": {"id": project}}
    try:
        answer = post(address.webhook, event, Deadline.after(CHECK_S), headers=address.headers)
    except (httpx.HTTPError, httpx.InvalidURL, AnswerTooLarge):
        return (
            "WEBHOOK_SECRET, REDIS_URL and DEPLOYMENT must be the same here and where the backend runs, and Label Studio"
            f" must reach {address.webhook} (this command does not)"
        )
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return (
            "the backend refuses the webhook's secret: set WEBHOOK_SECRET to the same value here and where the backend runs,"
            " restart it, and connect again"
        )
    if not answer.is_success:
        return f"the backend answers {answer.status_code} at {address.webhook}: see its log"
    if context.store.changes.count(project) > before:
        return (
            f"the backend takes an event from here, but Label Studio sends none to {address.webhook}: set"
            " SSRF_PROTECTION_ENABLED=false in Label Studio's environment, or see its log"
        )
    return (
        "the backend takes events, but stores them elsewhere: REDIS_URL and DEPLOYMENT must be the same here and where the"
        " backend runs"
    )


def _failed_at_backend(address: BackendAddress) -> Iterator[Check]:
    """The checks that fail where the backend runs; none if it cannot be reached from here."""
    first = health = _read_health(address)
    ends = time.monotonic() + HEALTH_AGE_S
    # The last round of checks may be older than a fix: wait for the next round.
    while health is not None and _failed(health) and health == first and time.monotonic() < ends:
        time.sleep(1)
        health = _read_health(address)
    yield from _failed(health) if health else ()


def _failed(health: BackendHealth) -> list[Check]:
    parts = {"Label Studio": health.label_studio} | health.model_servers
    return [
        Check(part=name, ok=False, detail=f"the backend does not reach it from where it runs: {part.detail}")
        for name, part in parts.items()
        if part.ok is False
    ]


def _read_health(address: BackendAddress) -> BackendHealth | None:
    try:
        return BackendHealth.model_validate_json(
            get(f"{address.url}/health", Deadline.after(CHECK_S), trust_env=True).content
        )
    except (httpx.HTTPError, httpx.InvalidURL, AnswerTooLarge, ValidationError):
        return None  # only Label Studio reaches it, or it is another kind of backend
