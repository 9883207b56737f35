"""Two versions of a prompt, compared on the same tasks."""

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice

from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, NotFound
from annotune.ids import ALL
from annotune.images import ImageFetcher
from annotune.label_studio.rows import TaskRow
from annotune.labeling.config import Labeling
from annotune.models import ModelRef
from annotune.options import Options
from annotune.parallel import map_within_deadline
from annotune.prompt import PlaceholderCheck, Prompt, PromptVersion
from annotune.question import Question
from annotune.servers.pool import Servers
from annotune.serving import ServingResolver, resolve_model
from curation.context import CurationContext
from curation.predict import ENDS_BATCH

TASKS = 10
SEARCHED = 10  # times as many tasks are searched for annotated ones


@dataclass(frozen=True)
class ComparedAnswer:
    """The answer to one version of the prompt about one task.

    `text` is None if there is no answer, and then `reason` says why. `agreement` says how near the answer is to the newest
    submitted annotation, see `agreement`. `score` is the model's own.
    """

    task: int
    version: int
    text: str | None = None
    agreement: float | None = None
    score: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """The answers to both versions: `first[i]` and `second[i]` are about the same task.

    `missing` are the errors of the answers that are missing. `warnings` are sentences about placeholders that name nothing.
    """

    versions: tuple[PromptVersion, PromptVersion]
    first: tuple[ComparedAnswer, ...]
    second: tuple[ComparedAnswer, ...]
    missing: tuple[AnnotuneError, ...]
    warnings: tuple[str, ...]


def compare_prompts(
    context: CurationContext, project: int, first: str, second: str, *, tasks: int = TASKS, model: str | None = None
) -> Comparison:
    """Ask a model with two versions of the prompt about the same tasks, annotated tasks first. Nothing is stored.

    Args:
        context: settings, Redis and Label Studio.
        project: its id in Label Studio.
        first: the number of a version of the prompt, as `3` or `v3`.
        second: the number of the other version.
        tasks: compare on so many tasks.
        model: another model than the live one, such as `ollama:llama3` or `v0003`.

    Raises:
        NotFound: there is no such project, version or model, or the project has no tasks.
        RequestInvalid: `first`, `second` or `model` names nothing.
        AnnotuneError: an error that every task would meet.
    """
    labeling = context.labeling(context.label_studio.projects.get(project).label_config, project)
    serving = ServingResolver(context.settings, context.store).resolve(project)
    versions = context.store.prompts.find(project, first), context.store.prompts.find(project, second)
    rows = _annotated_first(context, project, tasks)
    if not rows:
        raise NotFound(f"project {project} has no tasks yet: import some")
    ref = resolve_model(context.store, project, model) if model else serving.ref
    prompts = [Prompt.from_settings(version.text, context.settings, version.system) for version in versions]
    replies = _ask_all(context, _Asker(labeling, ref, serving.options), prompts, rows)
    missing = tuple(reply for reply in replies if isinstance(reply, AnnotuneError))
    if missing and (len(missing) == len(replies) or isinstance(missing[0], ENDS_BATCH)):
        raise missing[0]
    numbers = [version.number for version in versions]
    pairs = [(row, number) for row in rows for number in numbers]
    answers = tuple(_answer(row, number, reply) for (row, number), reply in zip(pairs, replies, strict=True))
    return Comparison(versions, answers[::2], answers[1::2], missing, _warnings(versions, rows))


@dataclass(frozen=True)
class _Reply:
    text: str
    agreement: float | None
    score: float | None


@dataclass(frozen=True)
class _Asker:
    labeling: Labeling
    ref: ModelRef
    options: Options

    def ask(self, servers: Servers, images: ImageFetcher, prompt: Prompt, task: TaskRow, deadline: Deadline) -> _Reply:
        addresses = [item.address(task.data) for item in self.labeling.objects if item.is_image]
        shown = tuple(images.fetch(address, deadline) for address in addresses)
        question = Question(self.labeling, prompt, task.data, shown)
        server = servers.get(self.ref.server)
        reply = question.ask(server, self.ref, self.options, deadline, urgent=False, calls=1)
        return _Reply(reply.texts[0], agreement(self.labeling, reply.texts[0], task), reply.score)


def _ask_all(
    context: CurationContext, asker: _Asker, prompts: Sequence[Prompt], tasks: Sequence[TaskRow]
) -> list[_Reply | AnnotuneError]:
    """The replies about the first task to each prompt, then those about the second task, and so on."""
    settings = context.settings.model_copy(update={"workers": 1})
    images = ImageFetcher(settings)
    with closing(Servers(settings)) as servers:
        calls = [partial(asker.ask, servers, images, prompt, task) for task in tasks for prompt in prompts]
        return map_within_deadline(
            calls, settings.model_concurrency, Deadline.after(settings.model_deadline_s * len(tasks))
        )


def _answer(task: TaskRow, version: int, reply: _Reply | AnnotuneError) -> ComparedAnswer:
    if isinstance(reply, AnnotuneError):
        return ComparedAnswer(task.id, version, reason=str(reply))
    return ComparedAnswer(task.id, version, reply.text, reply.agreement, reply.score)


def _annotated_first(context: CurationContext, project: int, number: int) -> list[TaskRow]:
    """So many tasks: annotated ones first, then others, both from the beginning of the project."""
    tasks = islice(context.label_studio.tasks.by_id(project, ALL), SEARCHED * number)
    annotated_first = sorted(tasks, key=lambda task: all(annotation.was_cancelled for annotation in task.annotations))
    return annotated_first[:number]


def agreement(labeling: Labeling, text: str, task: TaskRow) -> float | None:
    """How near an answer is to the newest submitted annotation of a task: 0..1, None if no annotation has an answer.

    For a free text the F1 score of the words, in any case and order. Else 1 if both are equal.
    """
    submitted = [annotation for annotation in task.annotations if not annotation.was_cancelled]
    newest = max(submitted, key=lambda annotation: (annotation.updated_at, annotation.id), default=None)
    expected = labeling.answer(newest.result) if newest else None
    if expected is None:
        return None
    if labeling.free_text is None:
        return float(text == expected)
    words, expected_words = (Counter(re.findall(r"\w+", each.casefold())) for each in (text, expected))
    shared = sum((words & expected_words).values())
    return 2 * shared / (sum(words.values()) + sum(expected_words.values())) if shared else 0.0


def _warnings(versions: Sequence[PromptVersion], tasks: Sequence[TaskRow]) -> tuple[str, ...]:
    warnings = []
    for version in versions:
        placeholders = PlaceholderCheck(version.text)
        for task in tasks:
            placeholders.add(task.data)
        if placeholders.warning:
            warnings.append(f"version {version.number}: {placeholders.warning}")
    return tuple(warnings)
