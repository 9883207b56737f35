"""`annotune prompts compare`: two prompts on the same tasks, side by side."""

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice

import click

from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, NotFound
from annotune.ids import ALL
from annotune.images import ImageFetcher
from annotune.label_studio.rows import TaskRow
from annotune.labeling.config import Labeling
from annotune.parallel import map_within_deadline
from annotune.prompt import PlaceholderCheck, Prompt
from annotune.question import Question
from annotune.servers.pool import Servers
from annotune.serving import ServingResolver, resolve_model
from commands.context import PROJECT, CommandContext
from commands.output import json_option, say, say_json, say_table, table_of
from curation.predict import ENDS_ASKING


@dataclass(frozen=True)
class Said:
    """One answer, or why it is `missing`: how near it is to a person's (0..1), and the model's own score."""

    text: str
    right: float | None = None
    score: float | None = None
    missing: bool = False


@click.command()
@click.argument("project", type=PROJECT)
@click.argument("first")
@click.argument("second")
@click.option(
    "--tasks", "number", default=10, show_default=True, type=click.IntRange(1, 1000), help="On so many tasks."
)
@click.option("--model", help="Another model than the live one, such as `ollama:llama3`.")
@json_option
@click.pass_obj
def compare(
    context: CommandContext, project: int, first: str, second: str, *, number: int, model: str | None, as_json: bool
) -> None:
    """Ask the model of PROJECT with versions FIRST and SECOND of its prompt about the same tasks.

    Annotated tasks come first: an answer is compared with the newest submitted one (exactly, and a free text by the words
    that they share). Nothing is stored. Exit code 1 where an answer is missing.
    """
    settings, book = context.settings, context.store.prompts
    config = context.studio.projects.get(project).label_config
    labeling = Labeling.from_settings(config, settings)
    serving = ServingResolver(settings, context.store).resolve(project)
    versions = [book.find(project, name) for name in (first, second)]
    prompts = [Prompt.from_settings(version.text, settings, version.system) for version in versions]
    tasks = list(islice(_annotated_first(context, project, number), number))
    if not tasks:
        raise NotFound(f"project {project} has no tasks yet: import some")
    ref = resolve_model(context.store, project, model) if model else serving.ref
    pictures = ImageFetcher(settings)

    def ask(prompt: Prompt, task: TaskRow, deadline: Deadline) -> Said:
        addresses = [item.address(task.data) for item in labeling.objects if item.is_image]
        images = tuple(pictures.fetch(address, deadline) for address in addresses)
        question = Question(labeling, prompt, task.data, images)
        reply = question.ask(servers.get(ref.server), ref, serving.options, deadline, urgent=False, calls=1)
        return Said(reply.texts[0], _nearness(labeling, reply.texts[0], task), reply.score)

    calls = [partial(ask, prompt, task) for task in tasks for prompt in prompts]
    with closing(Servers(settings.model_copy(update={"workers": 1}))) as servers:
        made = map_within_deadline(
            calls, settings.model_concurrency, Deadline.after(settings.model_deadline_s * len(tasks))
        )
    failed = [one for one in made if isinstance(one, AnnotuneError)]
    if failed and (len(failed) == len(made) or isinstance(failed[0], ENDS_ASKING)):
        raise failed[0]
    said = [Said(str(one), missing=True) if isinstance(one, AnnotuneError) else one for one in made]
    numbers = [version.number for version in versions]
    if as_json:
        pairs = [(task, number) for task in tasks for number in numbers]
        say_json([_object(task, number, one) for (task, number), one in zip(pairs, said, strict=True)])
    else:
        table = table_of("task", *(f"version {number}" for number in numbers), lines=context.console.is_terminal)
        for task, left, right in zip(tasks, said[::2], said[1::2], strict=True):
            table.add_row(str(task.id), _shown(left), _shown(right))
        table.add_row("mean", _mean(said[::2]), _mean(said[1::2]))
        say_table(context.console, table)
    for version in versions:
        doubts = PlaceholderCheck(version.text)
        for task in tasks:
            doubts.see(task.data)
        if doubts.sentence:
            say(f"version {version.number}: {doubts.sentence}", err=True)
    if failed:
        say(f"{len(failed)} of {len(made)} answers are missing: {failed[0]}", err=True)
        click.get_current_context().exit(1)


def _object(task: TaskRow, version: int, said: Said) -> dict[str, object]:
    answer, reason = (None, said.text) if said.missing else (said.text, "")
    return {
        "task": task.id,
        "version": version,
        "answer": answer,
        "right": said.right,
        "score": said.score,
        "reason": reason,
    }


def _annotated_first(context: CommandContext, project: int, number: int) -> Iterable[TaskRow]:
    """Annotated tasks, then the others, of the first tasks of a project."""
    some = list(islice(context.studio.tasks.by_id(project, ALL), 10 * number))
    return sorted(some, key=lambda task: not any(not one.was_cancelled for one in task.annotations))


def _nearness(labeling: Labeling, text: str, task: TaskRow) -> float | None:
    """1 where an answer is a person's newest; of a free text the share of words in common (F1)."""
    submitted = [one for one in task.annotations if not one.was_cancelled]
    newest = max(submitted, key=lambda one: (one.updated_at, one.id), default=None)
    theirs = labeling.answer(newest.result) if newest else None
    if theirs is None:
        return None
    if labeling.free_text is None:
        return float(text == theirs)
    ours, wanted = (Counter(re.findall(r"\w+", one.casefold())) for one in (text, theirs))
    shared = sum((ours & wanted).values())
    return 2 * shared / (sum(ours.values()) + sum(wanted.values())) if shared else 0.0


def _shown(said: Said) -> str:
    marks = [f"right {said.right:.2f}"] if said.right is not None else []
    marks += [f"score {said.score:.2f}"] if said.score is not None else []
    text = f"({said.text})" if said.missing else said.text
    return "\n".join([text, *([f"({', '.join(marks)})"] if marks else [])])


def _mean(answers: Iterable[Said]) -> str:
    given = list(answers)
    parts = []
    for name in ("right", "score"):
        values = [getattr(one, name) for one in given if getattr(one, name) is not None]
        parts += [f"{name} {sum(values) / len(values):.2f} of {len(values)}"] if values else []
    return ", ".join(parts) or "nothing to compare with"
