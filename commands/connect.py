"""`annotune connect` and `annotune disconnect`: connect a project to the backend, and undo it."""

import click

from annotune.errors import ConfigurationError, StoreUnavailable
from annotune.label_studio.tokens import is_personal
from annotune.settings import Settings
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
    """Connect PROJECT to the backend, and check what it needs. Done again, it changes nothing.

    Exit code 0: everything works, as far as this command sees; 3: it is connected, but something will not work.
    """
    address = BackendAddress.of(url, context.settings)
    change = context.connection(project).connect(address)
    _say_change(project, change, "was connected already: nothing changed")
    say(f"Label Studio reaches the backend at {address.url}; its model is {change.model_version or 'unnamed'}")
    say(f"our API key reaches Label Studio at {context.settings.label_studio_url} ({_key_kind(context.settings)})")
    if not address.headers:
        say("anybody may call the webhook: set WEBHOOK_SECRET here and where it is served, and connect again")
    if not _checks_pass(context, project, address):
        say("connected, but something will not work: see above, and connect again to check it", err=True)
        click.get_current_context().exit(CONNECTED_BUT)


def _checks_pass(context: CommandContext, project: int, address: BackendAddress) -> bool:
    """Remember the project, and print what it needs. What does not work goes to standard error."""
    results = []
    try:
        context.jobs.changed(project)
        for check in checkup(context.api.context, project, address):
            say(f"{check.part}: {check.detail}", err=not check.ok)
            results.append(check.ok)
    except StoreUnavailable as error:
        say(f"Redis: {error}. Until then nothing is learnt, and this command sees no more", err=True)
        return False
    return all(results)


@click.command()
@click.argument("project", type=PROJECT)
@click.pass_obj
def disconnect(context: CommandContext, project: int) -> None:
    """Disconnect PROJECT from the backend, and delete the answers that Redis keeps of it.

    The webhook goes too. Model versions, prompts and all data in Label Studio stay.
    """
    try:
        address = BackendAddress.of(None, context.settings)
    except ConfigurationError:
        address = None  # our backend and webhook are known by their title and header too
    _say_change(project, context.connection(project).disconnect(address), "was not connected: nothing changed")
    try:
        tasks = context.store.answers.forget(project)
        context.store.projects.forget(project)
    except StoreUnavailable as error:
        say(f"the answers given stay ({error}): disconnect again to delete them", err=True)
    else:
        say(f"deleted the answers given for {tasks} tasks; models and prompts stay, and what Label Studio holds")


def _say_change(project: int, change: ConnectionChange, unchanged: str) -> None:
    about = f"project {project} {change.title!r}"
    for what in change.changes:
        say(f"{about}: {what}")
    if not change.changes:
        say(f"{about} {unchanged}")


def _key_kind(settings: Settings) -> str:
    key = settings.label_studio_api_key
    return "personal access token" if key and is_personal(key.get_secret_value()) else "legacy token"
