"""`annotune models`: the model that answers a project, and the versions that were trained for it."""

from collections.abc import Sequence
from contextlib import closing

import click

from annotune.errors import RecordUnreadable
from annotune.models import ModelRef, version_number
from annotune.overview import VersionOverview
from annotune.servers.ollama import OllamaClient
from commands.context import PROJECT, CommandContext
from commands.output import json_option, say, say_json, say_table, table_of
from trainer.rebuild import rebuild as rebuild_store


class Version(click.ParamType[int]):
    """`v0003` or `3`."""

    name = "version"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value)
        number = int(text) if text.isdecimal() else version_number(text)
        if number is None:
            self.fail(f"{text!r} is no version: write one like 'v0003'", param, ctx)
        return number


@click.group()
def models() -> None:
    """List models, and choose which one answers for a project."""


@models.command(name="list")
@click.argument("project", type=PROJECT, required=False)
@json_option
@click.pass_obj
def list_models(context: CommandContext, project: int | None, as_json: bool) -> None:
    """List the versions of PROJECT, or of all projects; a star marks the model that answers."""
    found = {project: context.api.models(project)} if project else context.api.all_models()
    if not found and not as_json:
        say("no projects yet: run 'annotune connect PROJECT'")
    objects: list[dict[str, object]] = []
    for each, versions in found.items():
        if isinstance(versions, RecordUnreadable):
            say(f"project {each}: {versions}", err=True)
            continue
        objects += map(_object, versions)
        if not as_json:
            _print_versions(context, each, versions)
    if as_json:
        say_json(objects)


def _object(overview: VersionOverview) -> dict[str, object]:
    version = overview.version
    return {
        "project": version.project,
        "live": overview.live,
        "version": version.name,
        "state": version.state,
        "made": version.created_at.isoformat(timespec="seconds"),
        "held_out_loss": overview.held_out_loss,
        "model": version.model,
        "reason": version.reason,
    }


def _print_versions(context: CommandContext, project: int, versions: Sequence[VersionOverview]) -> None:
    say(f"project {project}: {context.api.live_model(project)}")
    table = table_of("", "version", "state", "made (UTC)", "held-out loss", "model", "reason")
    for each in versions:
        version, loss = each.version, each.held_out_loss
        mark, made = "*" if each.live else "", f"{version.created_at:%Y-%m-%d %H:%M}"
        shown_loss = "" if loss is None else f"{loss:.3f}"
        table.add_row(mark, version.name, version.state, made, shown_loss, version.model, version.reason)
    if versions:
        say_table(context.console, table)


@models.command()
@click.argument("project", type=PROJECT)
@click.argument("ref")
@click.pass_obj
def use(context: CommandContext, project: int, ref: str) -> None:
    """Make REF answer for PROJECT: ollama:llama3, openai:gpt-3.5-turbo or a version such as v0003."""
    chosen = context.api.use_model(project, ref)
    context.warn_without_worker()
    say(f"project {project}: {_name(chosen)} answers from now on")


@models.command()
@click.argument("project", type=PROJECT)
@click.argument("version", type=Version(), required=False)
@click.pass_obj
def promote(context: CommandContext, project: int, version: int | None) -> None:
    """Make a version of PROJECT live: VERSION, else the newest that waits."""
    promoted = context.api.promote(project, version)
    context.warn_without_worker()
    say(f"project {project}: {_name(promoted)} answers from now on")


def _name(ref: ModelRef) -> str:
    return f"{ref.version} ({ref.model})" if ref.version else str(ref)


@models.command()
@click.argument("project", type=PROJECT)
@click.pass_obj
def rollback(context: CommandContext, project: int) -> None:
    """Make the model that answered before answer again for PROJECT."""
    ref = context.api.roll_back(project)
    context.warn_without_worker()
    say(f"project {project}: {ref} answers again")


@models.command()
@click.pass_obj
def rebuild(context: CommandContext) -> None:
    """Restore versions, prompts and live models from RUNS_DIR, after Redis was emptied or Ollama lost models."""
    settings, store = context.api.settings, context.api.context.store
    with closing(OllamaClient(settings.ollama_url)) as server:
        rebuilt = rebuild_store(store, settings.runs_dir, server)
    say(
        f"{len(rebuilt.projects)} projects in {settings.runs_dir}: {rebuilt.versions} versions and"
        f" {rebuilt.pointers} live pointers were restored, {len(rebuilt.registered)} models were registered again"
    )
    for name in rebuilt.lost:
        say(f"{name} is lost: Ollama does not have it, and its file is not in the runs folder", err=True)
