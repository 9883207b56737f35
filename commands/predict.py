"""`annotune predict`: predictions for more tasks than one request can hold."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from annotune.errors import AnnotuneError, InUse, RequestInvalid, StoreUnavailable
from annotune.ids import ranges_of
from annotune.images import ImageFetcher
from annotune.lease import LEASE_TIMING, lease
from annotune.prices import FREE, PRICES, Prices
from annotune.prompt import PlaceholderCheck
from annotune.question import Question
from annotune.servers.pool import Servers
from annotune.settings import TEXT_FILE
from annotune.store.reports import Batch
from commands.context import PROJECT, CommandContext
from commands.output import PlainConsole, say
from commands.signals import Stopped, stoppable
from curation.estimate import CHARACTERS_A_TOKEN, Estimate, estimate
from curation.plan import Plan
from curation.predict import BatchCounts, Push

SHOWN = 3
REASONS_TOLD = 5
TASKS_TOLD = 10
ADDRESS_SHOWN = 200  # characters: a picture may be in it
LEASE = "predict"
LINES = 10  # of progress, where nobody sees a bar


class Ids(click.ParamType[tuple[range, ...]]):
    """`1,5,10-20`, or `@FILE` that holds such."""

    name = "ids"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[range, ...]:
        text = str(value)
        try:
            return ranges_of(Path(text[1:]).read_text(encoding=TEXT_FILE) if text.startswith("@") else text)
        except RequestInvalid as error:
            self.fail(str(error), param, ctx)
        except (OSError, ValueError) as error:
            self.fail(f"{text[1:]} cannot be read as UTF-8 text: {error}", param, ctx)


@click.command()
@click.argument("project", type=PROJECT)
@click.option("--tasks", "ids", type=Ids(), help="Only these: ids and ranges, as 1,5,10-20, or @FILE that holds them.")
@click.option("--model", help="Ask this one, as 'models use' takes it; default: the one that answers for PROJECT.")
@click.option("--only-missing", is_flag=True, help="Only tasks without any prediction.")
@click.option("--dry-run", is_flag=True, help="Show what would be asked, and what it would take; change nothing.")
@click.option("--prices", type=click.Path(path_type=Path), default=PRICES, help="Price table for --dry-run.")
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
    """Ask the model about all tasks of PROJECT, and give Label Studio its predictions; run again, it goes on.

    Skips tasks that have a prediction of the same model and prompt. Ctrl-C (or SIGTERM) ends it when the answers under
    way are pushed, a second one at once.
    """
    plan = Plan.of(context.context, project, model=model, ids=ids, only_missing=only_missing)
    given = sum(map(len, ids)) if ids else plan.found
    if given > plan.found:
        say(f"of the {given} ids given, {plan.found} are tasks of project {project}", err=True)
    # A process of its own: the limit is not divided among the web server's.
    with closing(Servers(context.settings.model_copy(update={"workers": 1}))) as servers:
        if dry_run:
            _rehearse(context, plan, servers, Prices.load(prices), show=SHOWN if ids else 1)
            return
        with lease(context.context.patient_store, project, LEASE) as held:
            if not held.taken:
                raise InUse(
                    f"project {project} is being predicted by {held.holder}: wait for its end (a run that was killed"
                    f" frees the project within {LEASE_TIMING.ttl_s:.0f} s)"
                )
            code = _push(context, plan, servers, held.lost)
        click.get_current_context().exit(code)


def _push(context: CommandContext, plan: Plan, servers: Servers, lost: Callable[[], bool]) -> int:
    """Ask, push and tell; the exit code."""
    settings, tally = context.settings, BatchCounts(doubts=PlaceholderCheck(plan.prompt.text))
    broke: AnnotuneError | None = None
    say(f"project {plan.project} {plan.title!r}: {plan.found} tasks, asking {plan.ref} as {plan.model_version}")
    try:
        with stoppable(), _watching(context.console, plan.found) as heard:
            push = Push(
                plan,
                servers.get(plan.ref.server),
                context.studio,
                context.context.patient_store,
                pictures=ImageFetcher(settings),
                tally=tally,
                heard=heard,
                lost=lost,
                kept_s=settings.answers_kept_s,
            )
            push.run(settings.model_concurrency, settings.model_deadline_s)
    except Stopped as stopped:
        say("interrupted: run it again, and it goes on", err=True)
        return stopped.exit_code
    except AnnotuneError as error:
        broke = error
        raise
    finally:
        _tell(tally)
        _note(context, plan, tally, broke)
    return 1 if tally.failed else 0


def _note(context: CommandContext, plan: Plan, tally: BatchCounts, broke: AnnotuneError | None) -> None:
    """Keep the outcome as that of the project's last batch, if anything was asked."""
    asked = plan.found - tally.skipped
    if not asked:
        return
    kind, reason = (type(broke).__name__, str(broke)) if broke else tally.most_frequent
    if not reason and tally.pushed < asked:
        kind, reason = "Stopped", "the run was interrupted"
    at = datetime.now(UTC)
    with suppress(StoreUnavailable):
        context.store.reports.keep_batch(
            Batch(at=at, project=plan.project, tasks=asked, answered=tally.pushed, kind=kind, reason=reason)
        )


@contextmanager
def _watching(console: PlainConsole, total: int) -> Iterator[Callable[[BatchCounts], None]]:
    """What shows how far it is: a bar, or a line now and then where no terminal shows one."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
    step = max(1, total // LINES)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task("", total=total)

        def heard(tally: BatchCounts) -> None:
            bars.update(bar, completed=tally.done, description=f"{tally.failures} failed" if tally.failed else "")
            if not console.is_terminal and tally.done % step == 0:
                say(f"{tally.done} of {total}")

        yield heard


def _tell(tally: BatchCounts) -> None:
    """Print what came of it."""
    say(f"{tally.pushed} predictions pushed, {tally.skipped} tasks skipped, {tally.failures} failed")
    if tally.doubts.sentence:
        say(tally.doubts.sentence, err=True)
    if tally.cut:
        say(f"{tally.cut} answers were cut at the token limit: raise MAX_TOKENS", err=True)
    _tell_failed(tally.failed)


def _tell_failed(failed: Mapping[str, Sequence[int]]) -> None:
    for reason, tasks in islice(failed.items(), REASONS_TOLD):
        more = f" and {len(tasks) - TASKS_TOLD} more" if len(tasks) > TASKS_TOLD else ""
        say(f"task {', '.join(map(str, tasks[:TASKS_TOLD]))}{more}: {reason}", err=True)
    if len(failed) > REASONS_TOLD:
        say(f"and {len(failed) - REASONS_TOLD} other reasons", err=True)


def _rehearse(context: CommandContext, plan: Plan, servers: Servers, prices: Prices, *, show: int) -> None:
    """Print what would be asked, and what it would take."""
    skipped = BatchCounts(doubts=PlaceholderCheck(plan.prompt.text))

    def skip() -> None:
        skipped.skipped += 1

    counts = plan.ref.server == "ollama"  # of an API that asks for money, even an answer of one token costs the prompt
    server = servers.get(plan.ref.server) if counts else None
    found = estimate(plan, plan.tasks(context.studio, skip, skipped.doubts), server, show=show)
    for task, question in found.shown:
        _show(task, question, plan.image_addresses(question.data))
    say(
        f"project {plan.project} {plan.title!r}: {found.tasks} tasks would be asked of {plan.ref} as"
        f" {plan.model_version}, {skipped.skipped} skipped"
    )
    if skipped.doubts.sentence:
        say(skipped.doubts.sentence, err=True)
    _tell_failed(found.unfit)
    if found.tasks:
        _tell_costs(plan, found, prices)


def _show(task: int, question: Question, pictures: Sequence[str]) -> None:
    say(f"task {task} would be asked:")
    for message in question.messages:
        say(f"[{message.role}]\n{message.content}")
    for address in pictures:
        say(f"[picture]\n{address[:ADDRESS_SHOWN]}")
    if question.labeling.schema:
        say(f"[JSON schema of the answer]\n{json.dumps(question.labeling.schema, ensure_ascii=False)}")
    say()


def _tell_costs(plan: Plan, found: Estimate, prices: Prices) -> None:
    about = "" if found.is_exact else "about "
    rule = f"about {CHARACTERS_A_TOKEN} characters a token"
    how = f"counted on {found.counted} tasks" if found.counted else rule
    if found.uncounted:
        say(f"the prompts could not be counted: {found.uncounted}", err=True)
    say(
        f"tokens in: {about}{found.prompt_tokens / found.tasks:,.0f} a task, {about}{found.prompt_tokens:,.0f} in total"
        f" ({how})"
    )
    say(
        f"tokens out: at most {found.answer_tokens // found.tasks:,} a task, {found.answer_tokens:,} in total"
        " (an answer that does not fit is asked for once more: not counted)"
    )
    price = prices.of(plan.ref)
    if price is None:
        say(f"cost: no price known for {plan.ref}: give --prices FILE")
    elif price == FREE:
        say("cost: none, the model server is one's own")
    else:
        say(f"cost: at most {about}{found.usd(price):,.2f} USD (prices as noted on {prices.noted})")
