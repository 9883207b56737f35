"""`annotune connect`, `annotune disconnect`: a project becomes, or stops being, a customer of the backend."""

import click
import httpx
from pydantic import BaseModel, ValidationError

from annotune.errors import ConfigurationError, StoreUnavailable
from annotune.network import AnswerTooLarge, get
from commands.address import Address
from commands.customer import Connection
from commands.desk import PROJECT, Desk
from commands.output import say

HEALTH_S = 5.0
URL = "Where Label Studio reaches this backend; default: the setting BACKEND_URL."


class Part(BaseModel):
    """Of the body of a backend's `/health`: how one part is."""

    ok: bool | None
    detail: str


class Health(BaseModel):
    """What is read of it."""

    label_studio: Part


@click.command()
@click.argument("project", type=PROJECT)
@click.option("--url", help=URL)
@click.pass_obj
def connect(desk: Desk, project: int, url: str | None) -> None:
    """Make PROJECT a customer of the backend: again changes nothing."""
    address = Address.of(url, desk.settings)
    customer = desk.customer(project)
    connection = customer.connect(address)
    _tell(project, connection, "was connected already: nothing changed")
    say(f"Label Studio reaches the backend at {address.url}; its model is {connection.model_version or 'unnamed'}")
    say(f"our API key reaches Label Studio at {desk.settings.label_studio_url} ({_key_kind(desk)})")
    _doubt(address)
    if not address.headers:
        say("anybody may call the webhook: set WEBHOOK_SECRET here and where it is served, and connect again")
    try:
        desk.jobs.changed(project)
    except StoreUnavailable as error:
        say(f"the project is not noted yet ({error}); its first prediction or webhook will do it", err=True)


@click.command()
@click.argument("project", type=PROJECT)
@click.pass_obj
def disconnect(desk: Desk, project: int) -> None:
    """Take PROJECT back from the backend, the webhook that Label Studio leaves behind included; delete its answers."""
    try:
        address = Address.of(None, desk.settings)
    except ConfigurationError:
        address = None  # ours are known by their title and header too
    _tell(project, desk.customer(project).disconnect(address), "was not connected: nothing changed")
    try:
        tasks = desk.store.answer_book.forget(project)
        desk.store.forget_project(project)
    except StoreUnavailable as error:
        say(f"the answers given stay ({error}): disconnect again to delete them", err=True)
    else:
        say(f"deleted the answers given for {tasks} tasks; models and prompts stay, and what Label Studio holds")


def _tell(project: int, connection: Connection, unchanged: str) -> None:
    about = f"project {project} {connection.title!r}"
    for change in connection.changes:
        say(f"{about}: {change}")
    if not connection.changes:
        say(f"{about} {unchanged}")


def _doubt(address: Address) -> None:
    """Tell what the backend that is served there says it lacks, where it can be asked from here."""
    try:
        health = Health.model_validate_json(get(f"{address.url}/health", seconds=HEALTH_S, trust_env=True).content)
    except (httpx.HTTPError, AnswerTooLarge, ValidationError):
        return  # reached by Label Studio, but not from here, or another's backend
    if health.label_studio.ok is False:
        say(f"but the backend that is served there does not reach Label Studio: {health.label_studio.detail}", err=True)


def _key_kind(desk: Desk) -> str:
    """Which of Label Studio's two kinds our key is: a personal access token is a JWT."""
    key = desk.settings.label_studio_api_key
    return "personal access token" if key and key.get_secret_value().startswith("eyJ") else "legacy token"
