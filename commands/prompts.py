"""`annotune prompts`: the prompts that a project's model is asked with."""

import difflib
from datetime import UTC, datetime
from typing import TextIO

import click

from annotune.errors import PromptMissing, RequestInvalid
from annotune.prompt import ProjectPrompt, Prompt
from annotune.settings import TEXT_FILE
from commands.compare import compare
from commands.context import PROJECT, CommandContext
from commands.output import first_line, json_option, say, say_json, say_raw, say_table, table_of
from curation.placeholders import told_unknown_in

LATEST = "latest"


@click.group()
def prompts() -> None:
    """List, show, compare and choose a project's prompts."""


prompts.add_command(compare)


@prompts.command(name="list")
@click.argument("project", type=PROJECT)
@json_option
@click.pass_obj
def list_prompts(context: CommandContext, project: int, as_json: bool) -> None:
    """List the versions of PROJECT's prompt, newest first.

    A star marks the one that is used; its sha is what predictions bear behind the `@` of their model version.
    """
    book = context.store.prompts
    used, pinned = book.used(context.known(project)), book.pinned(project)
    table, objects = table_of("", "version", "sha", "since (UTC)", "set by", "system", "text"), []
    for version in reversed(book.versions(project)):
        in_use = used is not None and version.number == used.number
        pin = " (pinned)" if version.number == pinned else ""
        sha = Prompt.from_settings(version.text, context.settings, version.system).short_sha
        system = "" if version.system is None else "own"
        at = f"{version.at:%Y-%m-%d %H:%M}"
        mark, text = "*" if in_use else "", first_line(version.text)
        table.add_row(mark, f"{version.number}{pin}", sha, at, version.source, system, text)
        objects.append(
            {
                "project": project,
                "used": in_use,
                "pinned": bool(pin),
                "version": version.number,
                "sha": sha,
                "since": version.at.isoformat(timespec="seconds"),
                "set_by": version.source,
                "system": version.system,
                "text": version.text,
            }
        )
    if as_json:
        say_json(objects)
    elif objects:
        say_table(context.console, table)
    else:
        say(f"project {project} has no prompt of its own")


@prompts.command()
@click.argument("project", type=PROJECT)
@click.argument("version", default="")
@click.option("--system", is_flag=True, help="Print its system prompt instead.")
@click.pass_obj
def show(context: CommandContext, project: int, version: str, system: bool) -> None:
    """Print the prompt of PROJECT as it was written: the one in use, or a VERSION of it."""
    book = context.store.prompts
    context.known(project)
    prompt = book.find(project, version) if version else book.used(project)
    if system:
        own = prompt.system if version and prompt else book.system(project)
        say_raw(context.settings.system_message(own))
    elif prompt is not None:
        say_raw(prompt.text)
        say(f"(version {prompt.number}, set by {prompt.source}, {prompt.at:%Y-%m-%d %H:%M} UTC)", err=True)
    elif context.settings.default_prompt_text:
        say_raw(context.settings.default_prompt_text)
        say("(DEFAULT_PROMPT: the project has none of its own)", err=True)
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
def diff(context: CommandContext, project: int, older: str, newer: str) -> None:
    """Show what changed in PROJECT's prompt from version OLDER to NEWER (the one in use)."""
    book = context.store.prompts
    first = book.find(context.known(project), older)
    second = book.find(project, newer) if newer else book.used(project) or first
    names = f"version {first.number}", f"version {second.number}"
    for part in ("system", "text"):
        before, after = ((getattr(version, part) or "").splitlines() for version in (first, second))
        old, new = (f"{name}, {part}" for name in names)
        for line in difflib.unified_diff(before, after, old, new, lineterm=""):
            say(line)


@prompts.command(name="set")
@click.argument("project", type=PROJECT)
@click.argument("file", type=click.File(encoding=TEXT_FILE), default="-")
@click.option(
    "--system", type=click.File(encoding=TEXT_FILE), help="A file with the project's system prompt; empty: none."
)
@click.option("--pin", is_flag=True, help="Use it whatever is submitted from now on.")
@click.pass_obj
def set_prompt(context: CommandContext, project: int, file: TextIO, system: TextIO | None, pin: bool) -> None:
    """Make the text of FILE (`-`, the default: standard input) the prompt of PROJECT.

    Placeholders such as {text} or a field of the task stay as written. Used until another is submitted, unless pinned.
    """
    text, book = _read(file), context.store.prompts
    if not text:
        raise PromptMissing(f"{file.name} holds no text: the prompt of project {project} stays as it was")
    context.known(project)
    own_system = None if system is None else _read(system)
    doubt = told_unknown_in(context.context, project, text, own_system or "")
    if own_system is not None:
        book.set_system(project, own_system)
    pinned = book.pinned(project)
    version = book.add(project, ProjectPrompt(text=text, source="command", at=datetime.now(UTC)), over_pin=True)
    if pin:
        book.pin(project, version)
    context.keep(project)
    say(f"project {project} has a new prompt of {len(text)} characters: version {version.number}")
    if pinned and not pin:
        say(
            f"version {pinned} was pinned, and is no more: the next prompt that is submitted is used. To keep the new one:"
            f" annotune prompts use {project} {version.number}"
        )
    for sentence in doubt:
        say(sentence, err=True)


@prompts.command()
@click.argument("project", type=PROJECT)
@click.argument("version")
@click.pass_obj
def use(context: CommandContext, project: int, version: str) -> None:
    """Pin VERSION as the prompt of PROJECT; `latest` lets the last submitted one be used again."""
    book = context.store.prompts
    context.known(project)
    if version == LATEST:
        newest = book.unpin(project)
        said = f"version {newest.number} is used" if newest else "there is none yet"
        say(f"project {project}: the last submitted prompt is used from now on ({said})")
    else:
        found = book.find(project, version)
        book.pin(project, found)
        say(f"project {project}: version {found.number} of its prompt is used, whatever is submitted")
    context.keep(project)


def _read(file: TextIO) -> str:
    try:
        return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestInvalid(f"{file.name} cannot be read as UTF-8 text: {error}") from error
