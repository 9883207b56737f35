"""`annotune prompts`: the prompt that a project's model is asked with."""

from datetime import UTC, datetime
from typing import TextIO

import click

from annotune.errors import PromptMissing
from annotune.example import ProjectPrompt
from commands.desk import PROJECT, Desk


@click.group()
def prompts() -> None:
    """Show or set a project's prompt."""


@prompts.command()
@click.argument("project", type=PROJECT)
@click.pass_obj
def show(desk: Desk, project: int) -> None:
    """Print the prompt of PROJECT as written."""
    prompt = desk.store.prompt(desk.known(project))
    if prompt is not None:
        click.echo(prompt.text)
        click.echo(f"(set by {prompt.source}, {prompt.at:%Y-%m-%d %H:%M} UTC)", err=True)
    elif desk.settings.default_prompt_text:
        click.echo(desk.settings.default_prompt_text)
        click.echo("(DEFAULT_PROMPT: the project has none of its own)", err=True)
    else:
        raise PromptMissing(
            f"project {project} has no prompt: submit an annotation with one, run 'annotune prompts set {project}',"
            " or set DEFAULT_PROMPT"
        )


@prompts.command(name="set")
@click.argument("project", type=PROJECT)
@click.argument("file", type=click.File(encoding="utf-8"), default="-")
@click.pass_obj
def set_prompt(desk: Desk, project: int, file: TextIO) -> None:
    """Make the text of FILE (`-`, the default: standard input) the prompt of PROJECT.

    Placeholders such as {text} or a field of the task stay as written.
    """
    text = file.read().strip()
    if not text:
        raise PromptMissing(f"{file.name} holds no text: the prompt of project {project} stays as it was")
    desk.store.set_prompt(desk.known(project), ProjectPrompt(text=text, source="command", at=datetime.now(UTC)))
    desk.keep(project)
    click.echo(f"project {project} has a new prompt of {len(text)} characters")
