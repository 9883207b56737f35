"""`annotune prompts compare`: two prompts on the same tasks, side by side."""

from collections.abc import Sequence

import click

from commands.context import PROJECT, CommandContext
from commands.output import PlainConsole, json_option, say, say_json, say_table, table_of
from curation.compare import TASKS, ComparedAnswer, Comparison


@click.command()
@click.argument("project", type=PROJECT)
@click.argument("first")
@click.argument("second")
@click.option(
    "--tasks",
    "number",
    default=TASKS,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Compare on so many tasks.",
)
@click.option("--model", help="Another model, written as for 'models use'.")
@json_option
@click.pass_obj
def compare(
    context: CommandContext, project: int, first: str, second: str, *, number: int, model: str | None, as_json: bool
) -> None:
    """Compare the answers to versions FIRST and SECOND of the prompt of PROJECT on the same tasks.

    Annotated tasks come first. An answer is compared with the newest submitted annotation: a free text by the words in
    common, anything else exactly. Nothing is stored. Exit code 1: an answer is missing.
    """
    comparison = context.api.compare_prompts(project, first, second, tasks=number, model=model)
    if as_json:
        pairs = zip(comparison.first, comparison.second, strict=True)
        say_json([_object(answer) for pair in pairs for answer in pair])
    else:
        _print_table(context.console, comparison)
    for warning in comparison.warnings:
        say(warning, err=True)
    if comparison.missing:
        answers = len(comparison.first) + len(comparison.second)
        say(f"{len(comparison.missing)} of {answers} answers are missing: {comparison.missing[0]}", err=True)
        click.get_current_context().exit(1)


def _object(answer: ComparedAnswer) -> dict[str, object]:
    return {
        "task": answer.task,
        "version": answer.version,
        "answer": answer.text,
        "right": answer.agreement,
        "score": answer.score,
        "reason": answer.reason,
    }


def _print_table(console: PlainConsole, comparison: Comparison) -> None:
    titles = (f"version {version.number}" for version in comparison.versions)
    table = table_of("task", *titles, lines=console.is_terminal)
    for first, second in zip(comparison.first, comparison.second, strict=True):
        table.add_row(str(first.task), _cell(first), _cell(second))
    table.add_row("mean", _means(comparison.first), _means(comparison.second))
    say_table(console, table)


def _cell(answer: ComparedAnswer) -> str:
    if answer.text is None:
        return f"({answer.reason})"
    values = {"right": answer.agreement, "score": answer.score}
    marks = ", ".join(f"{name} {value:.2f}" for name, value in values.items() if value is not None)
    return f"{answer.text}\n({marks})" if marks else answer.text


def _means(answers: Sequence[ComparedAnswer]) -> str:
    columns = {
        "right": [answer.agreement for answer in answers if answer.agreement is not None],
        "score": [answer.score for answer in answers if answer.score is not None],
    }
    means = [f"{name} {sum(values) / len(values):.2f} of {len(values)}" for name, values in columns.items() if values]
    return ", ".join(means) or "nothing to compare with"
