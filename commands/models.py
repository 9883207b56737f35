"""`annotune models`: which model answers for a project, and the versions that we made."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial

import click

from annotune import promotion
from annotune.errors import ModelServerError, NotFound, RecordUnreadable, StoreUnavailable
from annotune.models import ModelRef, restore_command, version_number
from annotune.servers.ollama import OllamaClient
from annotune.servers.pool import Servers, default_ref
from annotune.serving import ServingResolver, resolve_model
from commands.context import PROJECT, CommandContext
from commands.output import json_option, say, say_json, say_table, table_of
from trainer.rebuild import rebuild as rebuild_store

CHECK_S = 10.0
LOSS = "tuned_loss"


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
    projects = [context.known(project)] if project else context.store.projects()
    if not projects and not as_json:
        say("no projects yet: run 'annotune connect PROJECT'")
    found: list[dict[str, object]] = []
    for each in projects:
        try:
            rows = list(_rows(context, each))
        except RecordUnreadable as error:
            if project:
                raise
            say(f"project {each}: {error}", err=True)
            continue
        found += rows
        if not as_json:
            _list(context, each, rows)
    if as_json:
        say_json(found)


def _rows(context: CommandContext, project: int) -> Iterator[dict[str, object]]:
    """What is told of each version, the newest first."""
    live, versions = context.store.live(project), context.store.versions(project)
    losses = {run.id: run.metrics.get(LOSS) for run in context.store.runs(project)}
    for version in reversed(versions):
        yield {
            "project": project,
            "live": live is not None and live.model == version.model,
            "version": version.name,
            "state": version.state,
            "made": version.created_at.isoformat(timespec="seconds"),
            "held_out_loss": losses.get(version.run),
            "model": version.model,
            "reason": version.reason,
        }


def _list(context: CommandContext, project: int, rows: list[dict[str, object]]) -> None:
    say(f"project {project}: {context.store.live(project) or told_without_pointer(context, project)}")
    table = table_of("", "version", "state", "made (UTC)", "held-out loss", "model", "reason")
    for row in rows:
        made, loss = str(row["made"])[:16].replace("T", " "), row["held_out_loss"]
        shown_loss = "" if loss is None else f"{loss:.3f}"
        names = (str(row[name]) for name in ("version", "state"))
        table.add_row("*" if row["live"] else "", *names, made, shown_loss, str(row["model"]), str(row["reason"]))
    if rows:
        say_table(context.console, table)


@models.command()
@click.argument("project", type=PROJECT)
@click.argument("ref")
@click.pass_obj
def use(context: CommandContext, project: int, ref: str) -> None:
    """Let REF answer for PROJECT: ollama:llama3, openai:gpt-3.5-turbo or a version such as v0003."""
    number = version_number(ref)
    if number is not None:
        _promote(context, project, number)
        return
    chosen = resolve_model(context.store, context.known(project), ref)
    _check(context, project, chosen)
    _move(context, project, chosen)
    context.keep(project)
    say(f"project {project}: {chosen} answers from now on")


def _check(context: CommandContext, project: int, ref: ModelRef | None) -> None:
    """Return if a model's server has it; where a server cannot tell, it is asked whether it answers.

    None stands for what answers without a pointer.

    Raises:
        NotFound: the server does not have it.
        ModelServerError, ConfigurationError: the server does not answer, or is not configured.
    """
    ref = ref or _without_pointer(context, project)
    try:
        with closing(Servers(context.settings)) as servers:
            servers.get(ref.server).check(deadline_s=CHECK_S)
        if ref.server == "ollama":
            with closing(OllamaClient(context.settings.ollama_url)) as server:
                if server.show(ref.model) is None:
                    raise NotFound(
                        f"Ollama at {server.url} has no model {ref.model!r}: '{restore_command(ref.model)}' brings it back,"
                        f" or choose another. What answers in project {project} stays as it was"
                    )
    except ModelServerError as error:
        raise ModelServerError(
            f"{error}. Until {ref.server} answers, what answers in project {project} stays as it was: then try again, or"
            " choose a model of another server by 'annotune models use'"
        ) from error


def _without_pointer(context: CommandContext, project: int) -> ModelRef:
    """The connection's own model, or the environment's."""
    return ServingResolver(context.settings, context.store).without_pointer(project)


def told_without_pointer(context: CommandContext, project: int) -> str:
    """What answers where no model was promoted or chosen, and whose it is."""
    own = _without_pointer(context, project)
    whose = "the environment's default" if own == default_ref(context.settings) else "the connection's own"
    return f"{own} ({whose})"


def _move(context: CommandContext, project: int, chosen: ModelRef) -> None:
    if not context.store.swap_live(project, context.store.live(project), chosen):
        raise StoreUnavailable(f"project {project}: another model was chosen at this very moment; look, and try again")


@models.command()
@click.argument("project", type=PROJECT)
@click.argument("version", type=Version(), required=False)
@click.pass_obj
def promote(context: CommandContext, project: int, version: int | None) -> None:
    """Make a version of PROJECT live: VERSION, else the newest that waits."""
    _promote(context, project, version)


def _promote(context: CommandContext, project: int, number: int | None) -> None:
    ref = promotion.promote(context.store, context.known(project), number, check=partial(_check, context, project))
    context.keep(project)
    say(f"project {project}: {ref.version} answers from now on ({ref.model})")


@models.command()
@click.argument("project", type=PROJECT)
@click.pass_obj
def rollback(context: CommandContext, project: int) -> None:
    """Let the model that answered before answer again for PROJECT."""
    ref = promotion.rollback(context.store, context.known(project), check=partial(_check, context, project))
    context.keep(project)
    say(f"project {project}: {ref or told_without_pointer(context, project)} answers again")


@models.command()
@click.pass_obj
def rebuild(context: CommandContext) -> None:
    """Bring back versions, prompts and live models from RUNS_DIR, after Redis was emptied or Ollama lost models."""
    server = OllamaClient(context.settings.ollama_url)
    try:
        back = rebuild_store(context.store, context.settings.runs_dir, server)
    finally:
        server.close()
    say(
        f"{len(back.projects)} projects in {context.settings.runs_dir}: {back.versions} versions and {back.pointers} live"
        f" pointers came back, {len(back.registered)} models were registered again"
    )
    for name in back.lost:
        say(f"{name} is lost: Ollama does not have it, and its file is not in the runs folder", err=True)
