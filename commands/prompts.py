"""`annotune prompts`: the prompts that a project's model is asked with."""

import difflib
from datetime import UTC, datetime
from typing import TextIO

import click
from rich.markup import escape
from rich.table import Table

from annotune.errors import PromptMissing
from annotune.example import ProjectPrompt, PromptVersion
from annotune.live import SHA_SHOWN
from annotune.prompt import Prompt
from commands.compare import compare
from commands.desk import PROJECT, Desk

LATEST = "latest"


@click.group()
def prompts() -> None:
    """List, show, compare and choose a project's prompts."""


prompts.add_command(compare)


@prompts.command(name="list")
@click.argument("project", type=PROJECT)
@click.pass_obj
def list_prompts(desk: Desk, project: int) -> None:
    """List the versions of PROJECT's prompt, newest first.

    A star marks the one that is used; its sha is what predictions bear behind the `@` of their model version.
    """
    book = desk.store.prompts
    used, pinned = book.used(desk.known(project)), book.pinned(project)
    table = Table(box=None)
    for title in ("", "version", "sha", "since (UTC)", "set by", "system", "text"):
        table.add_column(title)
    for version in reversed(book.versions(project)):
        mark = "*" if used and version.number == used.number else ""
        pin = " (pinned)" if version.number == pinned else ""
        sha = _prompt(desk, version).sha[:SHA_SHOWN]
        system = "" if version.system is None else "own"
        first = version.text.strip().splitlines()[0]
        at = f"{version.at:%Y-%m-%d %H:%M}"
        table.add_row(mark, f"{version.number}{pin}", sha, at, version.source, system, escape(first))
    desk.console.print(table if table.row_count else f"project {project} has no prompt of its own")


@prompts.command()
@click.argument("project", type=PROJECT)
@click.argument("version", default="")
@click.option("--system", is_flag=True, help="Print its system prompt instead.")
@click.pass_obj
def show(desk: Desk, project: int, version: str, system: bool) -> None:
    """Print the prompt of PROJECT as written: the one in use, or a VERSION."""
    book = desk.store.prompts
    desk.known(project)
    prompt = book.find(project, version) if version else book.used(project)
    if system:
        own = prompt.system if version and prompt else book.system(project)
        click.echo(desk.settings.system_prompt if own is None else own)
    elif prompt is not None:
        click.echo(prompt.text)
        click.echo(f"(version {prompt.number}, set by {prompt.source}, {prompt.at:%Y-%m-%d %H:%M} UTC)", err=True)
    elif desk.settings.default_prompt_text:
        click.echo(desk.settings.default_prompt_text)
        click.echo("(DEFAULT_PROMPT: the project has none of its own)", err=True)
    else:
        raise PromptMissing(
            f"project {project} has no prompt: submit an annotation with one, run 'annotune prompts set {project}',"
            " or set DEFAULT_PROMPT"
        )


@prompts.command()
@click.argument("project", type=PROJECT)
@click.argument("older")
@click.argument("newer", default="")
@click.pass_obj
def diff(desk: Desk, project: int, older: str, newer: str) -> None:
    """Show what changed from version OLDER to NEWER (the one in use)."""
    book = desk.store.prompts
    first = book.find(desk.known(project), older)
    second = book.find(project, newer) if newer else book.used(project) or first
    names = f"version {first.number}", f"version {second.number}"
    for part in ("system", "text"):
        before, after = ((getattr(version, part) or "").splitlines() for version in (first, second))
        old, new = (f"{name}, {part}" for name in names)
        for line in difflib.unified_diff(before, after, old, new, lineterm=""):
            click.echo(line)


@prompts.command(name="set")
@click.argument("project", type=PROJECT)
@click.argument("file", type=click.File(encoding="utf-8"), default="-")
@click.option(
    "--system", type=click.File(encoding="utf-8"), help="A file with the project's system prompt; empty: none."
)
@click.option("--pin", is_flag=True, help="Use it whatever is submitted from now on.")
@click.pass_obj
def set_prompt(desk: Desk, project: int, file: TextIO, system: TextIO | None, pin: bool) -> None:
    """Make the text of FILE (`-`, the default: standard input) the prompt of PROJECT.

    Placeholders such as {text} or a field of the task stay as written. Used until another is submitted, unless pinned.
    """
    text, book = file.read().strip(), desk.store.prompts
    if not text:
        raise PromptMissing(f"{file.name} holds no text: the prompt of project {project} stays as it was")
    desk.known(project)
    if system is not None:
        book.set_system(project, system.read().strip())
    version = book.add(project, ProjectPrompt(text=text, source="command", at=datetime.now(UTC)), over_pin=True)
    if pin:
        book.pin(project, version)
    desk.keep(project)
    click.echo(f"project {project} has a new prompt of {len(text)} characters: version {version.number}")


@prompts.command()
@click.argument("project", type=PROJECT)
@click.argument("version")
@click.pass_obj
def use(desk: Desk, project: int, version: str) -> None:
    """Pin VERSION as the prompt of PROJECT; `latest` lets the last submitted one be used again."""
    book = desk.store.prompts
    desk.known(project)
    if version == LATEST:
        newest = book.unpin(project)
        said = f"version {newest.number} is used" if newest else "there is none yet"
        click.echo(f"project {project}: the last submitted prompt is used from now on ({said})")
    else:
        found = book.find(project, version)
        book.pin(project, found)
        click.echo(f"project {project}: version {found.number} of its prompt is used, whatever is submitted")
    desk.keep(project)


def _prompt(desk: Desk, version: PromptVersion) -> Prompt:
    system = desk.settings.system_prompt if version.system is None else version.system
    return Prompt(version.text, desk.settings.template, system)
