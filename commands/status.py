"""`annotune status`: what goes on."""

from contextlib import closing

import click

from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, ModelServerError, NotFound, RecordUnreadable
from annotune.label_studio.client import LabelStudioClient
from annotune.models import ModelRef, restore_command
from annotune.runs import SyncSummary, TrainingRun
from annotune.servers.ollama import OllamaClient
from annotune.serving import ServingResolver
from annotune.store.queue import CHANGES, TRAINING
from annotune.store.reports import Batch
from annotune.store.workers import Findings
from commands.context import CommandContext
from commands.output import first_line, json_option, say, say_json, say_table, table_of
from commands.train import duration

CHECK_S = 5.0


class Ollama:
    """Whether Ollama has the models that answer; one that is away is asked once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._away = ""

    def lacks(self, ref: ModelRef) -> str:
        """Why a model cannot answer now; empty where it can, or where it is another server's."""
        if ref.server != "ollama":
            return ""
        if self._away:
            return self._away
        try:
            with closing(OllamaClient(self._url)) as server:
                server.check(Deadline.after(CHECK_S))
                if server.show(ref.model) is not None:
                    return ""
        except ModelServerError as error:
            self._away = str(error)
            return self._away
        return f"Ollama does not have it: '{restore_command(ref.model)}' brings it back"


class Titles:
    """Of projects, as Label Studio has them; one that is away or silent is asked once."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._away = ""

    def of(self, project: int) -> tuple[str | None, str]:
        """A project's title, or why there is none."""
        if not self._context.has_label_studio:
            return None, ""
        if self._away:
            return None, self._away
        try:
            with closing(LabelStudioClient.from_settings(self._context.settings, timeout_s=CHECK_S)) as studio:
                return studio.projects.get(project).title, ""
        except NotFound as error:
            return None, f" ({error})"
        except AnnotuneError as error:
            self._away = f" ({error})"
            return None, self._away


@click.command()
@json_option
@click.pass_obj
def status(context: CommandContext, as_json: bool) -> None:
    """Show the worker, the queue, and for each project its model, prompt, annotations and training."""
    deployment, projects = _deployment(context), context.store.projects()
    ollama, titles = Ollama(context.settings.ollama_url), Titles(context)
    if as_json:
        found = [_object(None, deployment)]
        found += [_object(each, _rows(context, each, ollama)) | {"title": titles.of(each)[0]} for each in projects]
        say_json(found)
        return
    for name, text in deployment:
        say(f"{name}: {text}")
    if not projects:
        say("projects: none yet; run 'annotune connect PROJECT'")
    for project in projects:
        title, why = titles.of(project)
        say(f"\nproject {project}{why if title is None else f' {title!r}'}")
        table = table_of()
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in _rows(context, project, ollama):
            table.add_row(f"  {name}", text)
        say_table(context.console, table)


def _deployment(context: CommandContext) -> list[tuple[str, str]]:
    """What is of no project."""
    waiting, alive = context.jobs.waiting(), context.store.has_worker()
    rows = [
        ("worker", "alive" if alive else "none is alive, so nothing is learnt: run 'annotune worker'"),
        ("queue", f"{waiting[CHANGES]} changes, {waiting[TRAINING]} trainings waiting"),
    ]
    findings = context.store.workers.findings() if alive else None
    if findings is None:
        recipe = context.settings.recipe
        return [*rows, ("training", f"recipe {recipe}" if recipe else "off: RECIPE is not set")]
    learns = findings.cannot_learn
    return [
        *rows,
        (
            "learning",
            f"the worker cannot: {learns}" if learns else f"Label Studio: {findings.label_studio.detail}",
        ),
        ("training", _training(findings)),
    ]


def _training(findings: Findings) -> str:
    """Whether and on what a worker trains."""
    if findings.recipe.ok is False:
        return f"off: {findings.recipe.detail}"
    why = findings.cannot_train
    return f"the worker cannot: {why}" if why else f"{findings.recipe.detail}; trainer: {findings.trainer.detail}"


def _object(project: int | None, rows: list[tuple[str, str]]) -> dict[str, object]:
    return {"project": project} | {name.replace(" ", "_"): text for name, text in rows}


def _rows(context: CommandContext, project: int, ollama: Ollama) -> list[tuple[str, str]]:
    try:
        return _known(context, project, ollama)
    except RecordUnreadable as error:
        return [("unreadable", str(error))]


def _known(context: CommandContext, project: int, ollama: Ollama) -> list[tuple[str, str]]:
    store, serving = context.store, ServingResolver(context.settings, context.store).resolve(project)
    live, tally = store.live(project), store.tally(project)
    lacks = [("but", why)] if (why := ollama.lacks(serving.ref)) else []
    model = str(live or ServingResolver(context.settings, store).default_model(project))
    rows = [
        ("model", f"{model} ({live.version})" if live and live.version else model),
        *lacks,
        ("told", serving.model_version),
        ("prompt", first_line(serving.prompt.text) if serving.prompt else "none yet"),
        ("annotations", _counted(tally)),
        *([("to train", tally.lacks)] if tally and tally.lacks else []),
    ]
    request, progress = store.training_request(project), store.progress(project)
    runs_now = store.lease_held(project, "training") and store.has_worker()  # a lease outlives a worker
    if progress is not None and runs_now:
        step = f" step {progress.step}/{progress.steps}" if progress.steps else ""
        loss = f", loss {progress.loss:.3f}" if progress.loss is not None else ""
        left = f", {duration(progress.left_s)} left" if progress.left_s is not None else ""
        rows.append(("training", f"{progress.stage}{step}{loss}{left}"))
    elif request is not None:
        rows.append(("training", f"waits, asked for by {request.requested_by} at {request.at:%Y-%m-%d %H:%M} UTC"))
    runs = store.runs(project)
    if runs:
        rows.append(("last run", _ended(runs[0])))
    if (batch := store.reports.batch(project)) is not None:
        rows.append(("last batch", _answered(batch)))
    if why := store.reports.scores_missing(project):
        rows.append(("scores", f"not shown in the Data Manager: {why}"))
    return rows


def _counted(tally: SyncSummary | None) -> str:
    if tally is None:
        return "not counted yet"
    kinds = _listed(tally.kinds)
    left_out = _listed(tally.left_out)
    return (
        f"{tally.usable} usable{f' ({kinds})' if kinds else ''}, {tally.new} new since the last try"
        f"{'' if tally.unlearnt is None else f', {tally.unlearnt} never learnt'}"
        f"{f'; left out: {left_out}' if left_out else ''}"
    )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if count)


def _answered(batch: Batch) -> str:
    why = f": {batch.reason}" if batch.reason else ""
    return f"{batch.tasks} tasks at {batch.at:%Y-%m-%d %H:%M} UTC: {batch.answered} answered{why}"


def _ended(run: TrainingRun) -> str:
    name = run.version.name if run.version else run.id
    when = f" at {run.ended_at:%Y-%m-%d %H:%M} UTC" if run.ended_at else ""
    return f"{name} {run.state}{when}{f': {run.reason}' if run.reason else ''}"
