"""Examples to learn from, collected from a project's annotations; an uncertain one is left out and counted."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from annotune.answer import Answer
from annotune.label_studio.rows import AnnotationRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.log import log_unexpected
from annotune.settings import Settings
from annotune.split import SplitAssignment, text_sha
from curation.annotation import ExampleMaker, Reason
from curation.example import Example

MAX_TASKS_LISTED = 10

AnswersOf = Callable[[int], Sequence[Answer]]
"""The answers that the backend gave for a task, by its id, oldest first."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExampleSet:
    """The examples to train on and those that are held out, and what was left out.

    `left_out` counts annotations by reason (see `Reason`). `newest` is when the newest example's annotation was changed.
    `lacks` says what a training lacks, as in `SplitAssignment`.
    """

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    left_out: dict[str, int]
    newest: datetime | None
    lacks: str = ""

    @property
    def examples(self) -> tuple[Example, ...]:
        return (*self.train, *self.held_out)

    @property
    def contents(self) -> dict[int, str]:
        """The content of each example (`Origin.content`), by the annotation's id."""
        return {example.origin.annotation: example.origin.content for example in self.examples}

    @property
    def annotations(self) -> frozenset[int]:
        """Ids of the annotations that became examples."""
        return frozenset(self.contents)

    @property
    def kinds(self) -> dict[str, int]:
        """How many were typed, accepted, corrected."""
        return dict(Counter(example.origin.kind for example in self.examples))


def collect_examples(
    project: int,
    tasks: Iterable[TaskRow],
    labeling: Labeling,
    settings: Settings,
    answers_of: AnswersOf,
    *,
    split: Callable[[Sequence[str]], SplitAssignment],
    system: str | None = None,
) -> ExampleSet:
    """Collect the examples of a project's tasks: at most one for each task. A task that fails costs no other its example.

    Args:
        project: the project's id.
        tasks: as `LabelStudioClient` gives them.
        labeling: the project's config.
        settings: for the template and the system prompt.
        answers_of: the answers that the backend gave for a task.
        split: assigns texts, by their shas, to the splits; called once for all examples. An unassigned text counts as one
            to train on.
        system: the project's own system prompt, if it has one.
    """
    maker = ExampleMaker(project, labeling, settings, system)
    examples: list[tuple[str, Example]] = []
    left_out: Counter[str] = Counter()
    newest: datetime | None = None
    odd: list[int] = []
    for task in tasks:
        odd += [task.id] if task.is_odd else []
        left_out["unreadable"] += task.unreadable
        latest = _latest(task.annotations, labeling, left_out)
        if latest is None:
            continue
        answers = answers_of(task.id)
        try:
            made = maker.make(task, latest, answers)
        except Exception as error:  # noqa: BLE001 - whatever a task holds, the others become examples
            _log.warning("project %d: task %d is left out: %s", project, task.id, log_unexpected(error))
            made = "unreadable"
        if not isinstance(made, Example):
            left_out[made] += 1
            continue
        examples.append((text_sha(labeling.labelled_text(task.data)), made))
        newest = max(newest or latest.updated_at, latest.updated_at)
    if odd:
        _log.warning("project %d: the unreadable parts of these tasks are left out: %s", project, _listed(odd))
    assigned = split([sha for sha, _ in examples])
    return ExampleSet(
        train=tuple(example for sha, example in examples if assigned.splits.get(sha) != "eval"),
        held_out=tuple(example for sha, example in examples if assigned.splits.get(sha) == "eval"),
        left_out={reason: count for reason, count in sorted(left_out.items()) if count},
        newest=newest,
        lacks=assigned.lacks,
    )


def _latest(annotations: Iterable[AnnotationRow], labeling: Labeling, left_out: Counter[str]) -> AnnotationRow | None:
    """The last annotation that has an answer; the others are counted as left out."""
    answered = []
    for annotation in annotations:
        if reason := _without_answer(annotation, labeling):
            left_out[reason] += 1
        else:
            answered.append(annotation)
    left_out["older"] += max(len(answered) - 1, 0)
    return max(answered, key=lambda annotation: (annotation.updated_at, annotation.id), default=None)


def _without_answer(annotation: AnnotationRow, labeling: Labeling) -> Reason | None:
    if annotation.was_cancelled:
        return "skipped"
    try:
        return None if labeling.answers(annotation.result) else "empty"
    except Exception as error:  # noqa: BLE001 - whatever an annotation holds, the others become examples
        _log.warning("annotation %d is left out: %s", annotation.id, log_unexpected(error))
        return "unreadable"


def _listed(tasks: Sequence[int]) -> str:
    more = f" and {len(tasks) - MAX_TASKS_LISTED} more" if len(tasks) > MAX_TASKS_LISTED else ""
    return f"{', '.join(map(str, tasks[:MAX_TASKS_LISTED]))}{more}"
