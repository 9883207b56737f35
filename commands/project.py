"""`annotune project`: make projects from templates, and list both."""

from pathlib import Path

import click

from commands.agreement import agreement
from commands.connect import URL
from commands.context import PROJECT, CommandContext
from commands.output import json_option, say, say_json, say_table, table_of
from curation.project_list import ListedProject
from curation.project_setup import CreatedProject


@click.group()
def project() -> None:
    """Make projects from templates, and list projects and templates."""


project.add_command(agreement)


@project.command()
@click.argument("template")
@click.option("--title", help="The project's title, which also tells it from others; default: the template's.")
@click.option(
    "--from",
    "source",
    metavar="FOLDER|PROJECT",
    help="A folder with templates of your own; or, for the template 'review', the number of the project to review.",
)
@click.option("--url", help=URL)
@click.pass_obj
def create(context: CommandContext, template: str, *, title: str | None, source: str | None, url: str | None) -> None:
    """Make a project from TEMPLATE: connected, and with the template's prompt. Done again, it changes nothing.

    The title tells whether the project is there already. What an earlier try left undone is done now.
    """
    reviewed = int(source) if source and source.isdecimal() else None
    folder = Path(source) if source and reviewed is None else None
    done = context.api.create_project(template, title=title, folder=folder, reviewed=reviewed, url=url)
    _print_created(done)


def _print_created(done: CreatedProject) -> None:
    about = f"project {done.number} {done.title!r}"
    for change in done.changes:
        say(f"{about}: {change}")
    review = done.review
    if review is not None and (review.moved or review.updated):
        say(f"{about}: {len(review.moved)} tasks to review, {len(review.updated)} renewed")
    elif not done.changes:
        say(f"{about} was there already: nothing changed")
    if done.connected and done.connected.error:
        say(f"Redis: {done.connected.error}", err=True)
    say(f"open it: {done.address}")
    if done.review is None:
        say(f"next: annotune import {done.number} SOURCE")


@project.command("list")
@json_option
@click.pass_obj
def list_(context: CommandContext, *, as_json: bool) -> None:
    """List the projects that the key may see in Label Studio."""
    projects = context.api.list_projects()
    if as_json:
        say_json([_row(each) for each in projects])
    else:
        table = table_of("project", "title", "template", "tasks", "annotated", "model fills", "model")
        for each in projects:
            row = _row(each)
            fills = each.options.fills
            table.add_row(
                str(each.number),
                each.title,
                each.options.template or "-",
                str(each.tasks),
                str(each.annotated),
                "-" if fills is None else ", ".join(fills) or "nothing",
                str(row["model"] or ("not connected" if not each.is_connected else "-")),
            )
        say_table(context.console, table)


def _row(each: ListedProject) -> dict[str, object]:
    return {
        "project": each.number,
        "title": each.title,
        "template": each.options.template or None,
        "fills": None if each.options.fills is None else list(each.options.fills),
        "reviews": each.options.reviews,
        "tasks": each.tasks,
        "annotated": each.annotated,
        "connected": each.is_connected,
        "model": each.model or None,
    }


@project.command()
@click.option("--from", "folder", type=click.Path(path_type=Path), help="A folder with templates of your own.")
@json_option
@click.pass_obj
def templates(context: CommandContext, *, folder: Path | None, as_json: bool) -> None:
    """List the templates, each with the controls that the model fills."""
    found = context.api.templates(folder)
    if as_json:
        fields = ("name", "title", "description")
        say_json([{name: getattr(each, name) for name in fields} | {"fills": list(each.fills)} for each in found])
        return
    table = table_of("template", "model fills", "description")
    for each in found:
        table.add_row(each.name, ", ".join(each.fills) or "nothing", each.description)
    say_table(context.console, table)


@project.command()
@click.argument("number", metavar="PROJECT", type=PROJECT)
@click.argument("names", metavar="[CONTROL]...", nargs=-1)
@click.option("--none", "nothing", is_flag=True, help="Let people alone fill the project.")
@click.pass_obj
def fills(context: CommandContext, number: int, names: tuple[str, ...], *, nothing: bool) -> None:
    """Show which controls the model fills in PROJECT, or let it fill these and no others."""
    if names and nothing:
        raise click.UsageError("give the controls or --none, not both")
    now = context.api.project_fills(number, () if nothing else names or None)
    if now is None:
        say(f"project {number}: nobody has said: the model fills what ANSWER_CONTROLS says")
    else:
        say(f"project {number}: the model fills {', '.join(now) or 'nothing'}")
