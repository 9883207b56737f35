"""`annotune connect`, `annotune disconnect`: a project becomes, or stops being, a customer of the backend."""

import click

from annotune.errors import ConfigurationError, StoreUnavailable
from commands.context import PROJECT, CommandContext
from commands.output import say
from curation.backend_address import BackendAddress
from curation.checkup import checkup
from curation.connection import ConnectionChange

URL = "Where Label Studio reaches this backend; default: the setting BACKEND_URL."
CONNECTED_BUT = 3


@click.command()
@click.argument("project", type=PROJECT)
@click.option("--url", help=URL)
@click.pass_obj
def connect(context: CommandContext, project: int, url: str | None) -> None:
    """Let the backend answer in PROJECT, and say what will not work; done again, it changes nothing.

    Exit code 0: all that can be seen from here works; 3: it is connected, but something will not work.
    """
    address = BackendAddress.of(url, context.settings)
    customer = context.connection(project)
    connection = customer.connect(address)
    _tell(project, connection, "was connected already: nothing changed")
    say(f"Label Studio reaches the backend at {address.url}; its model is {connection.model_version or 'unnamed'}")
    say(f"our API key reaches Label Studio at {context.settings.label_studio_url} ({_key_kind(context)})")
    if not address.headers:
        say("anybody may call the webhook: set WEBHOOK_SECRET here and where it is served, and connect again")
    if not _works(context, project, address):
        say("connected, but something will not work: see above, and connect again to look anew", err=True)
        click.get_current_context().exit(CONNECTED_BUT)


def _works(context: CommandContext, project: int, address: BackendAddress) -> bool:
    """Note the project, look at all that it needs, and tell; what does not work on standard error."""
    found = []
    try:
        context.jobs.changed(project)
        for check in checkup(context.context, project, address):
            say(f"{check.name}: {check.detail}", err=not check.works)
            found.append(check.works)
    except StoreUnavailable as error:
        say(f"Redis: {error}. Until then nothing is learnt, and this command sees no more", err=True)
        return False
    return all(found)


@click.command()
@click.argument("project", type=PROJECT)
@click.pass_obj
def disconnect(context: CommandContext, project: int) -> None:
    """Let the backend answer in PROJECT no more, and delete the answers that Redis keeps of it.

    The webhook that Label Studio leaves behind is removed too; versions, prompts and what Label Studio holds stay.
    """
    try:
        address = BackendAddress.of(None, context.settings)
    except ConfigurationError:
        address = None  # ours are known by their title and header too
    _tell(project, context.connection(project).disconnect(address), "was not connected: nothing changed")
    try:
        tasks = context.store.answers.forget(project)
        context.store.projects.forget(project)
    except StoreUnavailable as error:
        say(f"the answers given stay ({error}): disconnect again to delete them", err=True)
    else:
        say(f"deleted the answers given for {tasks} tasks; models and prompts stay, and what Label Studio holds")


def _tell(project: int, connection: ConnectionChange, unchanged: str) -> None:
    about = f"project {project} {connection.title!r}"
    for change in connection.changes:
        say(f"{about}: {change}")
    if not connection.changes:
        say(f"{about} {unchanged}")


def _key_kind(context: CommandContext) -> str:
    """Which of Label Studio's two kinds our key is: a personal access token is a JWT."""
    key = context.settings.label_studio_api_key
    return "personal access token" if key and key.get_secret_value().startswith("eyJ") else "legacy token"
