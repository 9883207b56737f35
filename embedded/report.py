"""The demo's report: answers, scores and addresses."""

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from embedded.quiz import Quiz
from embedded.stack import Stack

ROWS_OF_EACH = 5
MAX_CHARACTERS = 160


def results_table(quiz: Quiz) -> Table:
    """Some questions of each kind: trained, paraphrased, and about real facts."""
    table = Table("question", "before", "after", "reference", show_lines=True, title="Some of the answers")
    trained = [row for row in quiz.rows if row[0].trained]
    paraphrased = [row for row in quiz.rows if row[0].paraphrase]
    real = [row for row in quiz.rows if not row[0].pair.invented]
    for question, was, now in (*trained[:ROWS_OF_EACH], *paraphrased[:ROWS_OF_EACH], *real[:ROWS_OF_EACH]):
        colour = "green" if question.is_correct(now.text) else "red"
        shown = f"[{colour}]{_short(now.text)}[/]"
        table.add_row(escape(question.text), _short(was.text), shown, escape(question.pair.answer))
    return table


def scores_table(quiz: Quiz, stages_s: Mapping[str, float]) -> Table:
    """The scores before and after, and the seconds of each stage."""
    table = Table("", title="What the training changed")
    table.add_column("before", overflow="fold")
    table.add_column("after", overflow="fold")
    before, after = quiz.before, quiz.after
    table.add_row("trained questions answered exactly", f"{before.exact:.0%}", f"{after.exact:.0%}")
    table.add_row("paraphrases with the key fact", f"{before.keys:.0%}", f"{after.keys:.0%}")
    names = "\n".join(quiz.versions_before), "\n".join(quiz.versions_after)
    table.add_row("answered by", *map(escape, names), end_section=True)
    for name, seconds in stages_s.items():
        table.add_row(name, "", f"{seconds:.0f} s")
    return table


def closing_lines(stack: Stack, problems: Sequence[str]) -> list[str]:
    """The addresses and logs, and the shortfalls (`problems`)."""
    studio = stack.label_studio
    lines = [
        f"[bold]Label Studio[/] {studio.url}  login {studio.email}  password {studio.password}",
        f"[bold]Backend[/] {stack.deployment.url}  [bold]model server[/] {stack.ollama_url}",
        f"[bold]Logs and report.json[/] {stack.folder}",
        "In the browser open a task, switch on [bold]Auto-Annotation[/] at the bottom (it is off in each new browser),",
        "type a prompt and press Shift+Enter.",
    ]
    if problems:
        return [*lines, *(f"[red]{escape(sentence)}[/]" for sentence in problems)]
    return [*lines, "[green]The tuned version is live and better.[/]"]


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return escape(flat if len(flat) <= MAX_CHARACTERS else flat[: MAX_CHARACTERS - 3] + "...")
