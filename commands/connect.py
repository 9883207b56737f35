"""`annotune connect` and `annotune disconnect`: connect a project to the backend, and undo it."""

import click

from annotune.errors import StoreUnavailable
from annotune.label_studio.tokens import is_personal
from annotune.settings import Settings
from commands.context import PROJECT, CommandContext
from commands.output import say
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
    connected = context.api.connect(project, url)
    change, address, settings = connected.change, connected.address, context.api.settings
    _say_change(project, change, "was connected already: nothing changed")
    say(f"Label Studio reaches the backend at {address.url}; its model is {change.model_version or 'unnamed'}")
    say(f"our API key reaches Label Studio at {settings.label_studio_url} ({_key_kind(settings)})")
    if not address.headers:
        say("anybody may call the webhook: set WEBHOOK_SECRET here and where it is served, and connect again")
    if connected.error:
        say(f"Redis: {connected.error}", err=True)
    if connected.error or not _checks_pass(context, project, url):
        say("connected, but something will not work: see above, and connect again to check it", err=True)
        click.get_current_context().exit(CONNECTED_BUT)


def _checks_pass(context: CommandContext, project: int, url: str | None) -> bool:
    """Print what the project needs. What does not work goes to standard error."""
    results = []
    try:
        for check in context.api.check(project, url):
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
    done = context.api.disconnect(project)
    _say_change(project, done.change, "was not connected: nothing changed")
    if done.error:
        say(f"the answers given stay ({done.error}): disconnect again to delete them", err=True)
    else:
        say(f"deleted the answers given for {done.tasks} tasks; models and prompts stay, and what Label Studio holds")


def _say_change(project: int, change: ConnectionChange, unchanged: str) -> None:
    about = f"project {project} {change.title!r}"
    for what in change.changes:
        say(f"{about}: {what}")
    if not change.changes:
        say(f"{about} {unchanged}")


def _key_kind(settings: Settings) -> str:
    key = settings.label_studio_api_key
    return "personal access token" if key and is_personal(key.get_secret_value()) else "legacy token"
