"""`annotune prompts`: the versions of a project's prompt."""

from typing import TextIO

import click

from annotune.errors import PromptMissing, RequestInvalid
from annotune.settings import TEXT_FILE
from commands.compare import compare
from commands.context import PROJECT, CommandContext
from commands.output import first_line, json_option, say, say_json, say_raw, say_table, table_of
from curation.prompts import LATEST, ListedPrompt


@click.group()
def prompts() -> None:
    """List, show, compare and choose the prompts of a project."""


prompts.add_command(compare)


@prompts.command(name="list")
@click.argument("project", type=PROJECT)
@json_option
@click.pass_obj
def list_prompts(context: CommandContext, project: int, as_json: bool) -> None:
    """List the versions of the prompt of PROJECT, newest first.

    A star marks the one in use. The model version of a prediction ends in `@` and the sha of its prompt.
    """
    versions = context.api.prompts(project)
    if as_json:
        say_json([_object(project, each) for each in versions])
    elif not versions:
        say(f"project {project} has no prompt of its own")
    else:
        table = table_of("", "version", "sha", "since (UTC)", "set by", "system", "text")
        for each in versions:
            table.add_row(*_cells(each))
        say_table(context.console, table)


def _object(project: int, listed: ListedPrompt) -> dict[str, object]:
    version = listed.version
    return {
        "project": project,
        "used": listed.is_used,
        "pinned": listed.is_pinned,
        "version": version.number,
        "sha": listed.prompt.short_sha,
        "since": version.at.isoformat(timespec="seconds"),
        "set_by": version.source,
        "system": version.system,
        "text": version.text,
    }


def _cells(listed: ListedPrompt) -> tuple[str, ...]:
    version = listed.version
    return (
        "*" if listed.is_used else "",
        f"{version.number}{' (pinned)' if listed.is_pinned else ''}",
        listed.prompt.short_sha,
        f"{version.at:%Y-%m-%d %H:%M}",
        version.source,
        "" if version.system is None else "own",
        first_line(version.text),
    )


@prompts.command()
@click.argument("project", type=PROJECT)
@click.argument("version", default="")
@click.option("--system", is_flag=True, help="Print the system prompt instead.")
@click.pass_obj
def show(context: CommandContext, project: int, version: str, system: bool) -> None:
    """Print the prompt of PROJECT as it was written: the one in use, or VERSION."""
    if system:
        say_raw(context.api.system_prompt(project, version or None))
        return
    prompt = context.api.prompt(project, version or None)
    default = context.api.settings.default_prompt_text
    if prompt is not None:
        say_raw(prompt.text)
        say(f"(version {prompt.number}, set by {prompt.source}, {prompt.at:%Y-%m-%d %H:%M} UTC)", err=True)
    elif default:
        say_raw(default)
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
    """Show what changed in the prompt of PROJECT from version OLDER to NEWER. Default: to the one in use."""
    for line in context.api.diff_prompts(project, older, newer or None):
        say(line)


@prompts.command(name="set")
@click.argument("project", type=PROJECT)
@click.argument("file", type=click.File(encoding=TEXT_FILE), default="-")
@click.option(
    "--system",
    type=click.File(encoding=TEXT_FILE),
    help="A file with the project's system prompt. An empty file: none.",
)
@click.option("--pin", is_flag=True, help="Use it also when another is submitted.")
@click.pass_obj
def set_prompt(context: CommandContext, project: int, file: TextIO, system: TextIO | None, pin: bool) -> None:
    """Make the text of FILE the prompt of PROJECT. Default: standard input (`-`).

    Placeholders such as {text} stay as written. The prompt is used until another is submitted, unless it is pinned.
    """
    text = _read(file)  # first: both may name standard input
    change = context.api.set_prompt(project, text, system=None if system is None else _read(system), pin=pin)
    context.warn_without_worker()
    version = change.version
    say(f"project {project} has a new prompt of {len(version.text)} characters: version {version.number}")
    if change.unpinned:
        say(
            f"version {change.unpinned} is no longer pinned: the next prompt that is submitted is used. To keep the new one:"
            f" annotune prompts use {project} {version.number}"
        )
    for warning in change.warnings:
        say(warning, err=True)


@prompts.command()
@click.argument("project", type=PROJECT)
@click.argument("version")
@click.pass_obj
def use(context: CommandContext, project: int, version: str) -> None:
    """Pin VERSION as the prompt of PROJECT. `latest` ends the pin: the last submitted prompt is used."""
    used = context.api.use_prompt(project, version)
    which = f"version {used.number}" if used else "no version"
    if version == LATEST:
        now = f"{which} is used" if used else "there is none yet"
        say(f"project {project}: the last submitted prompt is used from now on ({now})")
    else:
        say(f"project {project}: {which} of its prompt is used, also when another is submitted")
    context.warn_without_worker()


def _read(file: TextIO) -> str:
    try:
        return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestInvalid(f"{file.name} cannot be read as UTF-8 text: {error}") from error
