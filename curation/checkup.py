"""What of a connected project will work, looked at from here: its model, the worker, and how Label Studio's events come."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ValidationError

from annotune.chat import Message
from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, NotFound
from annotune.models import restore_command
from annotune.network import AnswerTooLarge, get, post
from annotune.servers.ollama import as_request
from annotune.servers.pool import Servers
from annotune.serving import ServingResolver
from annotune.store.workers import Findings
from curation.backend_address import BackendAddress
from curation.context import Context

CHECK_S = 10.0
ANSWER_S = 90.0  # the first one loads the model
EVENT_S = 6.0  # Label Studio gives a webhook 1 s
FRESH_S = 15.0  # a backend looks at its parts every 10 s
BEGUN_S = 10.0
SETTLED_S = 60.0  # a trainer loads torch before it tells
STILL = "is still being looked at: connect again in a minute"
POLL_S = 0.1
PING = (Message("user", "Hello"),)


@dataclass(frozen=True)
class Check:
    """One thing: `detail` says how it is, and what to do where it does not work."""

    name: str
    works: bool
    detail: str


class Part(BaseModel):
    """Of the body of a backend's `/health`: how one part is."""

    ok: bool | None
    detail: str


class Health(BaseModel):
    """What is read of it: only what cannot be seen from here."""

    checked_at: str | None
    label_studio: Part
    model_servers: dict[str, Part]


def checkup(context: Context, project: int, address: BackendAddress) -> Iterator[Check]:
    """Look at one thing after the other. Raises StoreUnavailable where Redis is away."""
    context.store.probe()
    yield _model(context, project)
    yield from _workers(context)
    yield _events(context, project, address)
    yield from _seen_by_backend(address)


def _model(context: Context, project: int) -> Check:
    """Does the model that answers there answer? A server that costs money is asked only whether it is there."""
    serving = ServingResolver(context.settings, context.store).resolve(project)
    ref = serving.ref
    try:
        with closing(Servers(context.settings)) as servers:
            server = servers.get(ref.server)
            server.check(Deadline.after(CHECK_S))
            if ref.server != "ollama":
                return Check("model", works=True, detail=f"{ref}: its server answers")
            request = as_request(ref.model, PING, num_ctx=ref.num_ctx or serving.options.num_ctx, max_tokens=1)
            server.chat(request, Deadline.after(ANSWER_S))
    except NotFound:
        told = f"Ollama at {context.settings.ollama_url} does not have {ref.model}: run '{restore_command(ref.model)}'"
        return Check("model", works=False, detail=told)
    except AnnotuneError as error:
        return Check("model", works=False, detail=f"{ref} does not answer: {error}")
    return Check("model", works=True, detail=f"{ref} answers")


def _workers(context: Context) -> Iterator[Check]:
    """Is a worker alive, and what can it do?"""
    findings = _settled(context)
    if not context.store.workers.alive():
        yield Check("worker", works=False, detail="none is alive, so nothing is learnt: run 'annotune worker'")
        return
    if findings is None:
        yield Check("worker", works=True, detail="alive; of a version that does not tell what it can do")
        return
    why = findings.cannot_learn or ("" if findings.label_studio.ok else f"Label Studio {STILL}")
    yield Check(
        "worker", works=not why, detail=f"alive, but it learns nothing: {why}" if why else "alive, and it can learn"
    )
    if findings.recipe.ok is False:
        yield Check("training", works=True, detail=findings.recipe.detail)
    elif not why:
        trainer = findings.trainer
        yield Check(
            "training", works=bool(trainer.ok), detail=f"the trainer {STILL}" if trainer.ok is None else trainer.detail
        )


def _settled(context: Context) -> Findings | None:
    """What the worker found, once it has looked: one that is only beginning is waited for."""
    began = time.monotonic()
    while True:
        found, waited_s = context.store.workers.findings(), time.monotonic() - began
        if waited_s > (SETTLED_S if found else BEGUN_S) or (found and not _looks(found)):
            return found
        time.sleep(POLL_S)


def _looks(findings: Findings) -> bool:
    """Whether something is not known yet that will be."""
    learns, trains = findings.label_studio.ok, findings.recipe.ok
    return learns is None or bool(learns and trains and findings.trainer.ok is None)


def _events(context: Context, project: int, address: BackendAddress) -> Check:
    """Does what Label Studio tells reach this Redis? A project that gets its own title makes it tell of a change."""
    before = context.store.changes.count(project)
    context.label_studio.projects.save_unchanged(project)
    if _rises(context, project, before):
        return Check("events", works=True, detail="what Label Studio tells reaches the backend and this Redis")
    return Check(
        "events",
        works=False,
        detail=f"what Label Studio tells does not reach this Redis: {_why(context, project, address)}",
    )


def _rises(context: Context, project: int, before: int) -> bool:
    ends = time.monotonic() + EVENT_S
    while context.store.changes.count(project) <= before:
        if time.monotonic() > ends:
            return False
        time.sleep(POLL_S)
    return True


def _why(context: Context, project: int, address: BackendAddress) -> str:
    """Send the backend an event of our own, and see where it ends."""
    before = context.store.changes.count(project)
    event = {"action": "PROJECT_UPDATED", "project": {"id": project}}
    try:
        answer = post(address.webhook, event, Deadline.after(CHECK_S), headers=address.headers)
    except (httpx.HTTPError, httpx.InvalidURL, AnswerTooLarge):
        return (
            f"WEBHOOK_SECRET, REDIS_URL and DEPLOYMENT must be the same here and where the backend is served, and Label"
            f" Studio must reach {address.webhook} (this command does not)"
        )
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return (
            "the backend refuses the webhook's secret: set WEBHOOK_SECRET to the same value here and where it is served,"
            " restart it, and connect again"
        )
    if not answer.is_success:
        return f"the backend answers {answer.status_code} at {address.webhook}: see its log"
    if context.store.changes.count(project) > before:
        return (
            f"the backend takes our own event, but Label Studio sends none to {address.webhook}: set"
            " SSRF_PROTECTION_ENABLED=false in Label Studio's environment, or see its log"
        )
    return (
        "the backend takes events, but keeps them elsewhere: REDIS_URL and DEPLOYMENT must be the same here and where it is"
        " served"
    )


def _seen_by_backend(address: BackendAddress) -> Iterator[Check]:
    """What the backend lacks where it is served; nothing where it cannot be asked from here."""
    found = _health(address)
    ends = time.monotonic() + FRESH_S
    first = found
    # What it saw before may be over: it has just been started, or it looked a moment too early.
    while found is not None and _lacks(found) and found == first and time.monotonic() < ends:
        time.sleep(1)
        found = _health(address)
    yield from _lacks(found) if found else ()


def _lacks(health: Health) -> list[Check]:
    parts = {"Label Studio": health.label_studio} | health.model_servers
    told = "the backend that is served there does not reach it: "
    return [Check(name, works=False, detail=told + part.detail) for name, part in parts.items() if part.ok is False]


def _health(address: BackendAddress) -> Health | None:
    try:
        return Health.model_validate_json(get(f"{address.url}/health", Deadline.after(CHECK_S), trust_env=True).content)
    except (httpx.HTTPError, httpx.InvalidURL, AnswerTooLarge, ValidationError):
        return None  # reached by Label Studio, but not from here, or another's backend
