"""`annotune status`: the facts of a deployment and its projects."""

import click

from annotune.models import ModelRef
from annotune.overview import DeploymentOverview, ProjectOverview, UnreadableProject
from annotune.runs import Progress, SyncSummary, TrainingRun
from annotune.store.reports import Batch
from annotune.store.workers import WorkerReport
from commands.context import CommandContext
from commands.output import first_line, json_option, say, say_json, say_table, table_of
from commands.train import duration

Rows = list[tuple[str, str]]


@click.command()
@json_option
@click.pass_obj
def status(context: CommandContext, as_json: bool) -> None:
    """Show the worker, the queue, and for each project its model, prompt, annotations and training."""
    deployment, projects = _deployment_rows(context.api.deployment()), context.api.projects()
    if as_json:
        found = [_object(None, deployment)]
        found += [_object(each.project, _project_rows(each)) | {"title": each.title.text} for each in projects]
        say_json(found)
        return
    for name, text in deployment:
        say(f"{name}: {text}")
    has_projects = False
    for each in projects:
        has_projects = True
        _print_project(context, each)
    if not has_projects:
        say("projects: none yet; run 'annotune connect PROJECT'")


def _print_project(context: CommandContext, overview: ProjectOverview | UnreadableProject) -> None:
    title = overview.title
    error = f" ({title.error})" if title.error else ""
    say(f"\nproject {overview.project}{error if title.text is None else f' {title.text!r}'}")
    table = table_of()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _project_rows(overview):
        table.add_row(f"  {name}", text)
    say_table(context.console, table)


def _object(project: int | None, rows: Rows) -> dict[str, object]:
    return {"project": project} | {name.replace(" ", "_"): text for name, text in rows}


def _deployment_rows(overview: DeploymentOverview) -> Rows:
    rows = [
        ("worker", overview.worker.detail),
        ("queue", f"{overview.changes} changes, {overview.trainings} trainings waiting"),
    ]
    report = overview.report
    if report is None:
        return [*rows, ("training", f"recipe {overview.recipe}" if overview.recipe else "off: RECIPE is not set")]
    problem = report.cannot_learn
    learning = f"the worker cannot: {problem}" if problem else f"Label Studio: {report.label_studio.detail}"
    return [*rows, ("learning", learning), ("training", _training_text(report))]


def _training_text(report: WorkerReport) -> str:
    if report.recipe.ok is False:
        return f"off: {report.recipe.detail}"
    problem = report.cannot_train
    return f"the worker cannot: {problem}" if problem else f"{report.recipe.detail}; trainer: {report.trainer.detail}"


def _project_rows(overview: ProjectOverview | UnreadableProject) -> Rows:
    if isinstance(overview, UnreadableProject):
        return [("unreadable", overview.error)]
    serving, annotations, model = overview.serving, overview.annotations, overview.model
    version = f" ({model.version})" if isinstance(model, ModelRef) and model.version else ""
    optional = [
        ("model", f"{model}{version}"),
        ("but", overview.model_error),
        ("told", serving.model_version),
        ("prompt", first_line(serving.prompt.text) if serving.prompt else "none yet"),
        ("annotations", _annotations_text(annotations)),
        ("to train", annotations.lacks if annotations else ""),
        ("training", _running_text(overview)),
        ("last run", _run_text(overview.last_run) if overview.last_run else ""),
        ("last batch", _batch_text(overview.batch) if overview.batch else ""),
        ("scores", f"not shown in the Data Manager: {overview.scores_error}" if overview.scores_error else ""),
    ]
    return [(name, text) for name, text in optional if text]


def _running_text(overview: ProjectOverview) -> str:
    """The training that runs or waits; empty if there is none."""
    if overview.progress is not None:
        return _progress_text(overview.progress)
    request = overview.request
    return f"waits, asked for by {request.requested_by} at {request.at:%Y-%m-%d %H:%M} UTC" if request else ""


def _progress_text(progress: Progress) -> str:
    step = f" step {progress.step}/{progress.steps}" if progress.steps else ""
    loss = f", loss {progress.loss:.3f}" if progress.loss is not None else ""
    left = f", {duration(progress.left_s)} left" if progress.left_s is not None else ""
    return f"{progress.stage}{step}{loss}{left}"


def _annotations_text(summary: SyncSummary | None) -> str:
    if summary is None:
        return "not counted yet"
    kinds, left_out = _counts_text(summary.kinds), _counts_text(summary.left_out)
    return (
        f"{summary.usable} usable{f' ({kinds})' if kinds else ''}, {summary.new} new since the last try"
        f"{'' if summary.unlearnt is None else f', {summary.unlearnt} never learnt'}"
        f"{f'; left out: {left_out}' if left_out else ''}"
    )


def _counts_text(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if count)


def _batch_text(batch: Batch) -> str:
    reason = f": {batch.reason}" if batch.reason else ""
    return f"{batch.tasks} tasks at {batch.at:%Y-%m-%d %H:%M} UTC: {batch.answered} answered{reason}"


def _run_text(run: TrainingRun) -> str:
    name = run.version.name if run.version else run.id
    when = f" at {run.ended_at:%Y-%m-%d %H:%M} UTC" if run.ended_at else ""
    return f"{name} {run.state}{when}{f': {run.reason}' if run.reason else ''}"
