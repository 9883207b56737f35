"""`annotune predict`: predictions for more tasks than one request can hold."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from annotune.errors import RequestInvalid
from annotune.ids import parse_ranges
from annotune.prices import FREE, PRICES, Prices
from annotune.question import Question
from annotune.settings import TEXT_FILE
from commands.context import PROJECT, CommandContext
from commands.output import PlainConsole, say
from commands.signals import Stopped, stoppable
from curation.estimate import CHARACTERS_PER_TOKEN, Estimate
from curation.plan import Plan
from curation.predict import BatchCounts, BatchPrediction

QUESTIONS_SHOWN = 3
REASONS_SHOWN = 5
TASKS_SHOWN = 10
ADDRESS_SHOWN = 200  # characters; a data: URI holds the whole image
PROGRESS_LINES = 10  # where no terminal shows a bar


class Ids(click.ParamType[tuple[range, ...]]):
    """`1,5,10-20`, or `@FILE` with the same in a file."""

    name = "ids"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[range, ...]:
        text = str(value)
        try:
            return parse_ranges(Path(text[1:]).read_text(encoding=TEXT_FILE) if text.startswith("@") else text)
        except RequestInvalid as error:
            self.fail(str(error), param, ctx)
        except (OSError, ValueError) as error:
            self.fail(f"{text[1:]} cannot be read as UTF-8 text: {error}", param, ctx)


@click.command()
@click.argument("project", type=PROJECT)
@click.option(
    "--tasks", "ids", type=Ids(), help="Only these tasks: ids and ranges, as 1,5,10-20, or @FILE with the same."
)
@click.option("--model", help="Another model, written as for 'models use'.")
@click.option("--only-missing", is_flag=True, help="Skip tasks that have any prediction.")
@click.option("--dry-run", is_flag=True, help="Show what would be asked, and what it would cost. Nothing changes.")
@click.option("--prices", type=click.Path(path_type=Path), default=PRICES, help="The price table for --dry-run.")
@click.pass_obj
def predict(
    context: CommandContext,
    project: int,
    *,
    ids: Sequence[range] | None,
    model: str | None,
    only_missing: bool,
    dry_run: bool,
    prices: Path,
) -> None:
    """Predict the tasks of PROJECT, and push the predictions to Label Studio. Run it again to go on.

    Tasks that have a prediction of the same model and prompt are skipped. Ctrl-C (or SIGTERM) ends it when the answers
    under way are pushed. A second one ends it at once.
    """
    plan = context.api.plan(project, tasks=ids, model=model, only_missing=only_missing)
    listed = sum(map(len, ids)) if ids else plan.found
    if listed > plan.found:
        say(f"of the {listed} ids given, {plan.found} are tasks of project {project}", err=True)
    if dry_run:
        table = Prices.load(prices)
        _print_estimate(plan, context.api.estimate(plan, prices=table, questions=QUESTIONS_SHOWN if ids else 1), table)
        return
    with context.api.batch(plan) as batch:
        code = _run(context.console, plan, batch)
    click.get_current_context().exit(code)


def _run(console: PlainConsole, plan: Plan, batch: BatchPrediction) -> int:
    """Run a batch and print what came of it; the exit code."""
    say(f"project {plan.project} {plan.title!r}: {plan.found} tasks, asking {plan.ref} as {plan.model_version}")
    try:
        with stoppable(), _progress(console, plan.found) as show:
            batch.run(show)
    except Stopped as stopped:
        say("interrupted: run it again, and it goes on", err=True)
        return stopped.exit_code
    finally:
        _print_counts(batch.counts)
    return 1 if batch.counts.failed else 0


@contextmanager
def _progress(console: PlainConsole, total: int) -> Iterator[Callable[[BatchCounts], None]]:
    """Yields a function that shows how far a batch is: as a bar, or as `PROGRESS_LINES` lines without a terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
    step = max(1, total // PROGRESS_LINES)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task("", total=total)

        def show(counts: BatchCounts) -> None:
            failed = f"{counts.failures} failed" if counts.failed else ""
            bars.update(bar, completed=counts.done, description=failed)
            if not console.is_terminal and counts.done % step == 0:
                say(f"{counts.done} of {total}")

        yield show


def _print_counts(counts: BatchCounts) -> None:
    say(f"{counts.pushed} predictions pushed, {counts.skipped} tasks skipped, {counts.failures} failed")
    if counts.placeholders.warning:
        say(counts.placeholders.warning, err=True)
    if counts.cut:
        say(f"{counts.cut} answers were cut at the token limit: raise MAX_TOKENS", err=True)
    _print_failed(counts.failed)


def _print_failed(failed: Mapping[str, Sequence[int]]) -> None:
    for reason, tasks in islice(failed.items(), REASONS_SHOWN):
        more = f" and {len(tasks) - TASKS_SHOWN} more" if len(tasks) > TASKS_SHOWN else ""
        say(f"task {', '.join(map(str, tasks[:TASKS_SHOWN]))}{more}: {reason}", err=True)
    if len(failed) > REASONS_SHOWN:
        say(f"and {len(failed) - REASONS_SHOWN} other reasons", err=True)


def _print_estimate(plan: Plan, estimate: Estimate, prices: Prices) -> None:
    for task, question in estimate.questions.items():
        _print_question(task, question, plan.image_addresses(question.data))
    say(
        f"project {plan.project} {plan.title!r}: {estimate.tasks} tasks would be asked of {plan.ref} as"
        f" {plan.model_version}, {estimate.skipped} skipped"
    )
    if estimate.placeholder_warning:
        say(estimate.placeholder_warning, err=True)
    _print_failed(estimate.failed)
    if estimate.tasks:
        _print_tokens(estimate)
        _print_cost(plan, estimate, prices)


def _print_question(task: int, question: Question, images: Sequence[str]) -> None:
    say(f"task {task} would be asked:")
    for message in question.messages:
        say(f"[{message.role}]\n{message.content}")
    for address in images:
        say(f"[picture]\n{address[:ADDRESS_SHOWN]}")
    if question.labeling.schema:
        say(f"[JSON schema of the answer]\n{json.dumps(question.labeling.schema, ensure_ascii=False)}")
    say()


def _print_tokens(estimate: Estimate) -> None:
    if estimate.count_error:
        say(f"the prompts could not be counted: {estimate.count_error}", err=True)
    about = "" if estimate.is_exact else "about "
    rule = f"about {CHARACTERS_PER_TOKEN} characters a token"
    how = f"counted on {estimate.counted} tasks" if estimate.counted else rule
    per_task = estimate.prompt_tokens / estimate.tasks
    say(f"tokens in: {about}{per_task:,.0f} a task, {about}{estimate.prompt_tokens:,.0f} in total ({how})")
    say(
        f"tokens out: at most {estimate.answer_tokens // estimate.tasks:,} a task, {estimate.answer_tokens:,} in total"
        " (an answer that does not fit is asked for once more: not counted)"
    )


def _print_cost(plan: Plan, estimate: Estimate, prices: Prices) -> None:
    if estimate.price is None:
        say(f"cost: no price known for {plan.ref}: give --prices FILE")
    elif estimate.price == FREE:
        say("cost: none, the model server is your own")
    else:
        about = "" if estimate.is_exact else "about "
        say(f"cost: at most {about}{estimate.cost_usd:,.2f} USD (prices as noted on {prices.noted})")
